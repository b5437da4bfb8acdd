"""A model on seeded weights, in a build on released ones."""

load("//tools/tflite:defs.bzl", "TfliteInfo")

_seeded = transition(
    implementation = lambda _settings, _attr: {"//models:weights": "seeded"},
    inputs = [],
    outputs = ["//models:weights"],
)

def _seeded_file_impl(ctx):
    file = ctx.actions.declare_file("seeded/{}.tflite".format(ctx.attr.model[0].label.name))
    ctx.actions.symlink(output = file, target_file = ctx.attr.model[0][TfliteInfo].model)
    return [DefaultInfo(files = depset([file]), runfiles = ctx.runfiles([file]))]

seeded_file = rule(
    implementation = _seeded_file_impl,
    doc = "Makes `seeded/MODEL.tflite`, whatever weights the build has.",
    attrs = {
        "model": attr.label(doc = "The model.", mandatory = True, cfg = _seeded, providers = [TfliteInfo]),
        "_allowlist_function_transition": attr.label(
            default = Label("@bazel_tools//tools/allowlists/function_transition_allowlist"),
        ),
    },
)
