"""What the rules for sources that a label names have in common: `saved_model`, `keras_model` and others."""

load("//tools/lib/preprocessing:preprocessings.bzl", "PREPROCESSINGS")
load(":frozen_graph.bzl", "frozen_graph_providers")
load(":preprocessing.bzl", "PREPROCESSING_DOC")
load(":providers.bzl", "CheckpointInfo")
load(":released_archive.bzl", "ReleasedArchiveInfo", "pinned_archive")

SOURCE_ATTRS = {
    "preprocessing": attr.string(
        doc = PREPROCESSING_DOC + " Without one, the model takes the arrays of a representative dataset as they are.",
        values = [""] + PREPROCESSINGS.keys(),
    ),
    "quantization_aware": attr.bool(
        doc = "Whether the source has the ranges of quantization-aware training. It is checked.",
    ),
    "released_as": attr.string(
        doc = "Where the weights are published, such as `example.org's widget 1.2`. Empty if they are your own. The " +
              "model's description names it.",
    ),
}

def source_checkpoint(ctx, file, prefix = "", files = depset(), target = None):
    """Returns the CheckpointInfo of a source.

    Args:
      ctx: the context of a rule that has `SOURCE_ATTRS`, or those of them that its source can state.
      file: the source's file name.
      prefix: see CheckpointInfo.
      files: see CheckpointInfo.
      target: the source's target. It knows the weights if it is a `released_archive`, or a rule that seeds.

    Returns:
      A CheckpointInfo.
    """
    released_as = ctx.attr.released_as
    weights = "released" if released_as else "own"
    description = "released weights of " + released_as if released_as else "weights of " + file
    if target and ReleasedArchiveInfo in target:
        weights = "released"
        description = pinned_archive(ctx, target[ReleasedArchiveInfo]).description
    elif target and CheckpointInfo in target:
        weights = target[CheckpointInfo].weights
        description = target[CheckpointInfo].description
    return CheckpointInfo(
        prefix = prefix,
        files = files,
        weights = weights,
        # A .tflite does not say whether its ranges come from training, and an ONNX model's are no FakeQuant nodes.
        quantization_aware = getattr(ctx.attr, "quantization_aware", False),
        description = description,
    )

def freeze(ctx, program, source, file, inputs, arguments, target):
    """Registers the action that freezes a source.

    Args:
      ctx: see `source_checkpoint`.
      program: the FilesToRunProvider or File of a program whose flags are those of `tools/steps/freeze/frozen.py`.
      source: the path of the source.
      file: the source's file name, for descriptions.
      inputs: a list of its Files.
      arguments: a list of further flags.
      target: see `source_checkpoint`.

    Returns:
      A list of providers, FrozenGraphInfo among them.
    """
    checkpoint = source_checkpoint(ctx, file, target = target)
    graph = ctx.actions.declare_file(ctx.label.name + ".pb")
    signature = ctx.actions.declare_file(ctx.label.name + ".signature.json")
    flags = ctx.actions.args()
    flags.add("--source", source)
    flags.add_all(arguments)
    if checkpoint.quantization_aware:
        flags.add("--quantization_aware")
    flags.add("--output", graph)
    flags.add("--signature_output", signature)
    ctx.actions.run(
        executable = program,
        arguments = [flags],
        inputs = inputs,
        outputs = [graph, signature],
        mnemonic = "FreezeGraph",
        progress_message = "Freezing the graph of %{label}",
    )
    return frozen_graph_providers(
        ctx,
        graph,
        checkpoint,
        ctx.attr.preprocessing,
        arrays = [],
        signature = signature,
    )
