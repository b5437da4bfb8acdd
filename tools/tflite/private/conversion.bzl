"""A conversion, apart from the TensorFlow that does it."""

ConversionInfo = provider(
    doc = "What a model is converted from and how, whichever TensorFlow does it.",
    fields = {
        "graph": "FrozenGraphInfo: what is converted.",
        "converter": "string: `toco` or `mlir`.",
        "flags": "File: the converter's flags, but for the files, one a line.",
        "representative_dataset": "File: inputs to measure ranges on, or None.",
        "benchmark_only": "bool: whether the model is there to be timed, not to be right.",
    },
)

_CONVERTERS = {
    "mlir": "the MLIR converter",
    "toco": "TOCO",
}

def description(conversion, tensorflow):
    """Returns the description of what a conversion makes.

    Args:
      conversion: a ConversionInfo.
      tensorflow: the TensorflowToolchainInfo of the TensorFlow that converts.

    Returns:
      A string.
    """
    text = "{}; converted by {} of {}".format(
        conversion.graph.checkpoint.description,
        _CONVERTERS[conversion.converter],
        tensorflow.title,
    )
    if conversion.graph.preprocessing:
        text += "; preprocessing " + conversion.graph.preprocessing
    if conversion.benchmark_only:
        text += "; for benchmarks only, with made-up ranges"
    return text

def convert(ctx, conversion, tensorflow, output):
    """Registers the action that converts with a given TensorFlow.

    Args:
      ctx: the rule's context.
      conversion: a ConversionInfo.
      tensorflow: the TensorflowToolchainInfo of the TensorFlow that converts; it has the converter.
      output: the File to write, as `TfliteInfo.raw`.
    """
    arguments = ctx.actions.args()
    arguments.add("--flagfile", conversion.flags)
    arguments.add("--graph_def_file", conversion.graph.graph)
    arguments.add("--output_file", output)
    inputs = [conversion.flags, conversion.graph.graph]
    if conversion.representative_dataset:
        arguments.add("--representative_dataset", conversion.representative_dataset)
        inputs.append(conversion.representative_dataset)
    ctx.actions.run(
        executable = getattr(tensorflow, conversion.converter)[DefaultInfo].files_to_run,
        arguments = [arguments],
        inputs = inputs,
        outputs = [output],
        mnemonic = "MlirConvert" if conversion.converter == "mlir" else "TocoConvert",
        progress_message = "Converting with %s of %s for %%{label}" % (_CONVERTERS[conversion.converter], tensorflow.title),
    )
