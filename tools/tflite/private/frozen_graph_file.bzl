"""A frozen graph that a label names."""

load(":errors.bzl", "fail_attribute")
load(":program.bzl", "program")
load(":providers.bzl", "FrozenGraphInfo")
load(":source.bzl", "SOURCE_ATTRS", "freeze")

def _frozen_graph_file_impl(ctx):
    for attribute in ["input_arrays", "output_arrays"]:
        given = getattr(ctx.attr, attribute)
        if [name for name in given if not name or "," in name]:
            fail_attribute(ctx, attribute, given, "give every name as a separate item")
    source = ctx.file.src
    return freeze(
        ctx,
        ctx.executable._freeze,
        source = source.path,
        file = source.basename,
        inputs = [source],
        arguments = [
            "--{}={}".format(attribute, ",".join(getattr(ctx.attr, attribute)))
            for attribute in ["input_arrays", "output_arrays"]
        ],
        target = ctx.attr.src,
    )

frozen_graph_file = rule(
    implementation = _frozen_graph_file_impl,
    doc = """A frozen graph, for `graph` of `tflite_model`.

Makes `NAME.pb`, in canonical form. Output group `signature`: `NAME.signature.json`, its inputs and outputs.""",
    attrs = SOURCE_ATTRS | {
        "src": attr.label(doc = "The GraphDef, binary.", allow_single_file = True, mandatory = True),
        "input_arrays": attr.string_list(
            doc = "The inputs. By default all placeholders on which the outputs depend.",
        ),
        "output_arrays": attr.string_list(
            doc = "The outputs. By default the node at the end, if there is only one.",
        ),
        "_freeze": program("//tools/steps/freeze:freeze_graph"),
    },
    provides = [FrozenGraphInfo],
)
