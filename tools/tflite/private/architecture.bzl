"""A model's architecture: its graph code with its options."""

load(":preprocessing.bzl", "PREPROCESSING_ATTRIBUTE")
load(":providers.bzl", "ArchitectureInfo")

def _architecture_impl(ctx):
    return [
        ArchitectureInfo(
            graph_code = ctx.attr.graph_code[DefaultInfo].files_to_run,
            options = ["--{}={}".format(name, value) for name, value in sorted(ctx.attr.options.items())],
            preprocessing = ctx.attr.preprocessing,
            arrays = ctx.attr.arrays,
        ),
    ]

architecture = rule(
    implementation = _architecture_impl,
    doc = "A model's graph code with its options, for seeding and exporting.",
    attrs = {
        "graph_code": attr.label(
            doc = "The program of the family: one of `//tools/steps/architectures:all`, or a similar py_binary " +
                  "whose main module calls `program.run`.",
            mandatory = True,
            executable = True,
            cfg = "exec",
        ),
        "options": attr.string_dict(doc = "The program's own flags, without their dashes."),
        "arrays": attr.string_list(
            doc = "The inputs and outputs of an exported graph that a recipe may name. Empty: not declared.",
        ),
        "preprocessing": PREPROCESSING_ATTRIBUTE,
    },
    provides = [ArchitectureInfo],
)
