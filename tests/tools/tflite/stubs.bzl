"""Stubs of a checkpoint, a frozen graph and a dataset, so that tests of rules need no heavy actions."""

load("//tools/tflite:defs.bzl", "CheckpointInfo", "FrozenGraphInfo", "RepresentativeDatasetInfo")

def _write_checkpoint(ctx):
    files = []
    for ending in ["index", "data-00000-of-00001"]:
        file = ctx.actions.declare_file("{}/model.ckpt.{}".format(ctx.label.name, ending))
        ctx.actions.write(file, "")
        files.append(file)
    return CheckpointInfo(
        prefix = files[0].path[:-len(".index")],
        files = depset(files),
        weights = "seeded",
        quantization_aware = getattr(ctx.attr, "quantization_aware", False),
        description = "stub weights",
    )

def _stub_checkpoint_impl(ctx):
    checkpoint = _write_checkpoint(ctx)
    return [DefaultInfo(files = checkpoint.files), checkpoint]

stub_checkpoint = rule(
    implementation = _stub_checkpoint_impl,
    doc = "A checkpoint of empty files with the description `stub weights`.",
    provides = [CheckpointInfo],
)

def _stub_frozen_graph_impl(ctx):
    graph = ctx.file.graph
    if not graph:
        graph = ctx.actions.declare_file(ctx.label.name + ".pb")
        ctx.actions.write(graph, "")
    return [
        DefaultInfo(files = depset([graph]), runfiles = ctx.runfiles(files = [graph])),
        FrozenGraphInfo(
            graph = graph,
            checkpoint = _write_checkpoint(ctx),
            preprocessing = ctx.attr.preprocessing,
            arrays = ctx.attr.arrays,
            signature = ctx.file.signature,
        ),
    ]

stub_frozen_graph = rule(
    implementation = _stub_frozen_graph_impl,
    doc = "A frozen graph, with the description `stub weights`.",
    attrs = {
        "graph": attr.label(doc = "As `FrozenGraphInfo.graph`; an empty file if not given.", allow_single_file = True),
        "signature": attr.label(doc = "As `FrozenGraphInfo.signature`.", allow_single_file = True),
        "arrays": attr.string_list(doc = "As `FrozenGraphInfo.arrays`."),
        "preprocessing": attr.string(doc = "As `FrozenGraphInfo.preprocessing`; empty, and nothing is checked."),
        "quantization_aware": attr.bool(doc = "As `CheckpointInfo.quantization_aware`."),
    },
    provides = [FrozenGraphInfo],
)

def _stub_dataset_impl(ctx):
    samples = ctx.actions.declare_file(ctx.label.name + ".npz")
    ctx.actions.write(samples, "")
    return [DefaultInfo(files = depset([samples])), RepresentativeDatasetInfo(samples = samples)]

stub_dataset = rule(
    implementation = _stub_dataset_impl,
    doc = "An empty representative dataset.",
    provides = [RepresentativeDatasetInfo],
)
