"""A conversion, independent of the TensorFlow that performs it."""

load("//tools/lib/rounding:folds.bzl", "FOLDS")

ConversionInfo = provider(
    doc = "The input and options of a conversion, for any TensorFlow.",
    fields = {
        "graph": "FrozenGraphInfo: the graph to convert.",
        "converter": "string: `toco` or `mlir`.",
        "flags": "File: the converter's flags except those for files, one per line.",
        "representative_dataset": "File: inputs on which ranges are measured, or None.",
        "fold_as": "string: whose last bits the constants of batch norms have, a key of `FOLDS`; empty for exact ones.",
        "benchmark_only": "bool: whether the model is for benchmarks only, with wrong results.",
        "integer": "bool: whether all operators except `float_operators` must compute in integers.",
        "float_operators": "list of strings: operators that may compute in floating point.",
        "minimum_operators": "int: a model with fewer operators is refused as a broken export.",
    },
)

_CONVERTERS = {
    "mlir": "the MLIR converter",
    "toco": "TOCO",
}

def converter_flags(recipe, graph):
    """Returns a recipe as its converter's flags, except those for files.

    Args:
      recipe: the attributes of a `recipe`.
      graph: the FrozenGraphInfo of its graph.

    Returns:
      A list of strings, each a flag with its value.
    """
    values = [
        ("input_arrays", ",".join(recipe.input_arrays)),
        ("input_shapes", ":".join(recipe.input_shapes)),
        ("output_arrays", ",".join(recipe.output_arrays)),
    ]
    if recipe.converter == "toco" or recipe.inference_type != "FLOAT":
        values.append(("inference_type", recipe.inference_type))
        names = ["mean_values", "std_dev_values", "default_ranges"]
        values += [(name, ",".join(getattr(recipe, name))) for name in names]
    else:
        # DEFAULT makes the converter use the ranges of a quantization-aware graph.
        optimizations = ["DEFAULT"] if graph.checkpoint.quantization_aware else recipe.optimizations
        values += [("optimizations", value) for value in optimizations]
        values += [(name, value) for name in ["supported_ops", "supported_types"] for value in getattr(recipe, name)]
        names = ["inference_input_type", "inference_output_type"]
        values += [(name, getattr(recipe, name)) for name in names] + [("preprocessing", graph.preprocessing)]
    if recipe.converter == "mlir":
        values += [("fold_as", recipe.fold_as), ("keep_signature", "" if recipe.keep_signature else "false")]
    switches = ["allow_custom_ops", "change_concat_input_ranges"]
    return ["--{}={}".format(name, value) for name, value in values if value] + [
        "--" + name
        for name in switches
        if getattr(recipe, name)
    ]

def description(conversion, tensorflow):
    """Returns the description of a converted model.

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
    if conversion.fold_as:
        text += "; batch norms folded as on " + FOLDS[conversion.fold_as]["meaning"]
    if conversion.benchmark_only:
        text += "; for benchmarks only, with made-up ranges"
    return text

def convert(ctx, conversion, tensorflow, output):
    """Registers the action that converts with a given TensorFlow.

    Args:
      ctx: the rule's context.
      conversion: a ConversionInfo.
      tensorflow: the TensorflowToolchainInfo of the TensorFlow that converts, which must have the converter.
      output: the File to write, see `TfliteInfo.raw`.
    """
    arguments = ctx.actions.args()
    arguments.add("--flagfile", conversion.flags)
    arguments.add("--graph_def_file", conversion.graph.graph)
    arguments.add("--output_file", output)
    inputs = [conversion.flags, conversion.graph.graph]
    if conversion.graph.signature:
        arguments.add("--signature", conversion.graph.signature)
        inputs.append(conversion.graph.signature)
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
