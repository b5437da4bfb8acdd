"""A frozen graph with a wrong preprocessing, to show the effect."""

load("//tools/tflite:defs.bzl", "FrozenGraphInfo")

def _misdeclared_graph_impl(ctx):
    graph = ctx.attr.graph[FrozenGraphInfo]
    return [
        DefaultInfo(files = depset([graph.graph]), runfiles = ctx.runfiles(files = [graph.graph])),
        FrozenGraphInfo(
            graph = graph.graph,
            checkpoint = graph.checkpoint,
            preprocessing = ctx.attr.preprocessing,
            arrays = graph.arrays,
        ),
    ]

misdeclared_graph = rule(
    implementation = _misdeclared_graph_impl,
    doc = "The same graph with another preprocessing.",
    attrs = {
        "graph": attr.label(doc = "The graph.", mandatory = True, providers = [FrozenGraphInfo]),
        "preprocessing": attr.string(doc = "See `FrozenGraphInfo.preprocessing`.", mandatory = True),
    },
    provides = [FrozenGraphInfo],
)
