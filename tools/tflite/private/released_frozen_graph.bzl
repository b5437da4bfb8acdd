"""A published frozen graph."""

load(":canonical.bzl", "CANONICAL_GRAPH_ATTRS", "canonicalize_graph")
load(":frozen_graph.bzl", "frozen_graph_providers")
load(":preprocessing.bzl", "PREPROCESSING_ATTRIBUTE")
load(":providers.bzl", "CheckpointInfo", "FrozenGraphInfo")
load(":released_archive.bzl", "RELEASED_ATTRS", "released_file", "released_files")

def _released_frozen_graph_impl(ctx):
    released = released_files(ctx)
    published = released_file(ctx, released, ctx.attr.member, " is not")
    graph = ctx.actions.declare_file(ctx.label.name + ".pb")
    canonicalize_graph(ctx, published, graph)
    checkpoint = CheckpointInfo(
        prefix = "",
        files = depset(),
        weights = "released",
        quantization_aware = ctx.attr.quantization_aware,
        description = released.description,
    )
    return frozen_graph_providers(
        ctx,
        graph,
        checkpoint,
        ctx.attr.preprocessing,
        ctx.attr.arrays,
        raw = depset([published]),
    )

released_frozen_graph = rule(
    implementation = _released_frozen_graph_impl,
    doc = """A published inference graph with its weights as constants.

Makes `NAME.pb`, in canonical form. Output group `raw`: the published file.""",
    attrs = dict(
        dict(CANONICAL_GRAPH_ATTRS, **RELEASED_ATTRS),
        member = attr.string(
            doc = "The GraphDef's path in the archive or folder, such as `frozen_inference_graph.pb`.",
            mandatory = True,
        ),
        arrays = attr.string_list(
            doc = "The inputs and outputs that a recipe may name. Empty: not declared.",
        ),
        preprocessing = PREPROCESSING_ATTRIBUTE,
    ),
    provides = [FrozenGraphInfo],
)
