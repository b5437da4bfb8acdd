"""A frozen graph from any graph code."""

load(":providers.bzl", "ArchitectureInfo", "CheckpointInfo", "FrozenGraphInfo")

def frozen_graph_providers(ctx, graph, checkpoint, preprocessing, arrays, signature = None, **output_groups):
    """Returns the providers of a rule for a frozen graph.

    Args:
      ctx: the rule's context.
      graph: the File of the canonical GraphDef.
      checkpoint: the CheckpointInfo of its constants.
      preprocessing: a key of PREPROCESSINGS.
      arrays: a list of the inputs and outputs that a recipe may name; empty if not declared.
      signature: the File of `FrozenGraphInfo.signature`, or None.
      **output_groups: depsets of Files.

    Returns:
      A list of providers, FrozenGraphInfo among them.
    """
    return [
        # In the runfiles for tests that convert again.
        DefaultInfo(files = depset([graph]), runfiles = ctx.runfiles([graph])),
        OutputGroupInfo(signature = depset([signature] if signature else []), **output_groups),
        FrozenGraphInfo(
            graph = graph,
            checkpoint = checkpoint,
            preprocessing = preprocessing,
            arrays = arrays,
            signature = signature,
        ),
    ]

def _frozen_graph_impl(ctx):
    architecture = ctx.attr.architecture[ArchitectureInfo]
    checkpoint = ctx.attr.checkpoint[CheckpointInfo]
    graph = ctx.actions.declare_file(ctx.label.name + ".pb")
    arguments = ctx.actions.args()
    arguments.add("--mode=export")
    arguments.add_all(architecture.options)
    if checkpoint.quantization_aware:
        arguments.add("--quantize")
    arguments.add("--checkpoint", checkpoint.prefix)
    arguments.add("--output", graph)
    ctx.actions.run(
        executable = architecture.graph_code,
        arguments = [arguments],
        inputs = checkpoint.files,
        outputs = [graph],
        mnemonic = "ExportFrozenGraph",
        progress_message = "Exporting the frozen graph of %{label}",
    )
    return frozen_graph_providers(
        ctx,
        graph,
        checkpoint,
        architecture.preprocessing,
        architecture.arrays,
    )

frozen_graph = rule(
    implementation = _frozen_graph_impl,
    doc = """A model's inference graph, with a checkpoint's variables as constants.

Makes `NAME.pb`, in canonical form.""",
    attrs = {
        "architecture": attr.label(doc = "The model.", mandatory = True, providers = [ArchitectureInfo]),
        "checkpoint": attr.label(doc = "Its weights.", mandatory = True, providers = [CheckpointInfo]),
    },
    provides = [FrozenGraphInfo],
)
