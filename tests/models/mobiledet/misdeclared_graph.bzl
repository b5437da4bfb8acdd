"""A frozen graph that lies about its preprocessing, to show what that costs."""

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
    doc = "The same graph under another preprocessing.",
    attrs = {
        "graph": attr.label(doc = "The graph.", mandatory = True, providers = [FrozenGraphInfo]),
        "preprocessing": attr.string(doc = "As `FrozenGraphInfo.preprocessing`.", mandatory = True),
    },
    provides = [FrozenGraphInfo],
)
