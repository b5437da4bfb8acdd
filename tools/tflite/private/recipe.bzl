"""A conversion's recipe, and the checks of its attributes."""

load("//tools/lib/preprocessing:preprocessings.bzl", "PREPROCESSINGS")
load("//tools/lib/rounding:folds.bzl", "FOLDS")
load(":conversion.bzl", "ConversionInfo", "converter_flags")
load(":errors.bzl", "check_least", "fail_attribute")
load(":labels.bzl", "label_text")
load(":numbers.bzl", "is_shape", "parse_number")
load(":providers.bzl", "FrozenGraphInfo", "RepresentativeDatasetInfo")

_INFERENCE_TYPES = ["FLOAT", "QUANTIZED_UINT8"]
_IO_TYPES = ["FLOAT", "INT8", "UINT8"]
_LISTS = {
    "optimizations": ["DEFAULT"],
    "supported_ops": ["TFLITE_BUILTINS", "TFLITE_BUILTINS_INT8"],
    "supported_types": ["float16"],
}

# Attributes of one converter only, with the values that mean "not given".
_ONLY_TOCO = {
    "inference_type": "FLOAT",
    "mean_values": [],
    "std_dev_values": [],
    "default_ranges": [],
    "change_concat_input_ranges": False,
}
_ONLY_MLIR = {
    "optimizations": [],
    "supported_ops": ["TFLITE_BUILTINS"],
    "supported_types": [],
    "representative_dataset": None,
    "fold_as": "",
    "keep_signature": True,
    "inference_input_type": "FLOAT",
    "inference_output_type": "FLOAT",
}

# For a quantization-aware graph, both converters have these.
_OF_UINT8 = ["inference_type", "mean_values", "std_dev_values"]

# Quotes, commas and spaces indicate several names in one item; a dollar sign indicates a variable, which is not expanded.
_NOT_IN_NAMES = ["'", "\"", ",", "$"]

# The largest differences of a quantized input's mean and standard deviation from the preprocessing. They are usually
# whole numbers: 128 and 127, or 128 and 128, both stand for [-1, 1].
_MEAN_TOLERANCE = 0.5
_STD_DEV_TOLERANCE = 0.01

def _is_name(text):
    return text and not [c for c in text.elems() if c in _NOT_IN_NAMES or c.isspace()]

def _array_name(text):
    # A converter gets `x` for `x:0` (tools/steps/convert/frozen_graph.py).
    return text.removesuffix(":0")

def _is_shape(text):
    # Of a batch, `?` leaves the size open.
    return is_shape(text.removeprefix("?,"))

def _is_stored_value(text):
    number = parse_number(text)
    return number != None and number >= 0 and number <= 255

def _is_positive(text):
    number = parse_number(text)
    return number != None and number > 0

def _check_arrays(ctx, graph):
    for attribute in ["input_arrays", "output_arrays"]:
        given = getattr(ctx.attr, attribute)
        if not given and not graph.signature:
            fail_attribute(ctx, attribute, given, "give at least one name")
        if [name for name in given if not _is_name(name)]:
            fail_attribute(
                ctx,
                attribute,
                given,
                "give every name as a separate item, without quotes, commas, spaces or dollar signs",
            )
    names = ctx.attr.input_arrays
    if len({_array_name(name): None for name in names}) != len(names):
        fail_attribute(ctx, "input_arrays", names, "give every name once")
    shapes = ctx.attr.input_shapes
    stated = graph.signature and (not shapes or not names)
    if len(shapes) != len(names) and not stated or [shape for shape in shapes if not _is_shape(shape)]:
        fail_attribute(ctx, "input_shapes", shapes, "give one shape like \"1,320,320,3\" for each of input_arrays")
    for attribute in ["input_arrays", "output_arrays"]:
        given = getattr(ctx.attr, attribute)
        if graph.arrays and [name for name in given if _array_name(name) not in graph.arrays]:
            fail_attribute(
                ctx,
                attribute,
                given,
                "{} offers {}".format(label_text(ctx.attr.graph.label), ", ".join(graph.arrays)),
            )

def _check_values(ctx):
    for attribute, allowed in [
        ("converter", ["mlir", "toco"]),
        ("inference_type", _INFERENCE_TYPES),
        ("inference_input_type", _IO_TYPES),
        ("inference_output_type", _IO_TYPES),
    ]:
        given = getattr(ctx.attr, attribute)
        if given not in allowed:
            fail_attribute(ctx, attribute, given, "give one of " + ", ".join(allowed))
    if ctx.attr.fold_as and ctx.attr.fold_as not in FOLDS:
        allowed = ", ".join(["\"{}\"".format(name) for name in FOLDS])
        fail_attribute(ctx, "fold_as", ctx.attr.fold_as, "give one of {}, or none for exact constants".format(allowed))
    if "SELECT_TF_OPS" in ctx.attr.supported_ops:
        fail_attribute(
            ctx,
            "supported_ops",
            ctx.attr.supported_ops,
            "SELECT_TF_OPS makes a model that runs only beside TensorFlow's kernels, and a converted model is checked " +
            "without them; give some of " + ", ".join(_LISTS["supported_ops"]),
        )
    for attribute, allowed in _LISTS.items():
        given = getattr(ctx.attr, attribute)
        if [value for value in given if value not in allowed]:
            fail_attribute(ctx, attribute, given, "give some of " + ", ".join(allowed))
    if not ctx.attr.supported_ops:
        fail_attribute(ctx, "supported_ops", [], "give at least one of " + ", ".join(_LISTS["supported_ops"]))
    check_least(ctx, {"minimum_operators": 1})

def _check_quantization_aware(ctx, graph):
    if not graph.checkpoint.quantization_aware:
        return
    for attribute in ["optimizations", "representative_dataset", "supported_types"]:
        given = getattr(ctx.attr, attribute)
        if given:
            fail_attribute(
                ctx,
                attribute,
                label_text(given.label) if attribute == "representative_dataset" else given,
                "give none: {} is quantization-aware, so its own ranges decide".format(label_text(ctx.attr.graph.label)),
            )

def _check_converter(ctx):
    others = _ONLY_MLIR if ctx.attr.converter == "toco" else _ONLY_TOCO
    for attribute, default in others.items():
        given = getattr(ctx.attr, attribute)
        if given == default or attribute in _OF_UINT8 and ctx.attr.inference_type == "QUANTIZED_UINT8":
            continue
        if attribute in ["mean_values", "std_dev_values"]:
            # As in MLPerf's published recipe of mobiledet_cpu_int8.
            reason = ("give none with converter = \"mlir\": for a graph without ranges, input statistics with " +
                      "optimizations = [\"DEFAULT\"] quantize the weights alone, silently; for a full-integer model " +
                      "give a representative_dataset")
        else:
            reason = "only the converter \"{}\" has it, but converter is \"{}\"".format(
                "mlir" if ctx.attr.converter == "toco" else "toco",
                ctx.attr.converter,
            )
        fail_attribute(ctx, attribute, label_text(given.label) if attribute == "representative_dataset" else given, reason)

def _check_default_ranges(ctx):
    given = ctx.attr.default_ranges
    if not given and ctx.attr.benchmark_only:
        fail_attribute(ctx, "benchmark_only", True, "give it only with default_ranges, with which a model's results are wrong")
    if not given:
        return
    if not ctx.attr.benchmark_only:
        fail_attribute(
            ctx,
            "default_ranges",
            given,
            "with made-up ranges a model's results are wrong; export a quantization-aware checkpoint, give a " +
            "representative_dataset, or declare benchmark_only = True",
        )
    numbers = [parse_number(value) for value in given]
    if len(numbers) != 2 or None in numbers or numbers[0] > 0 or numbers[1] < 0 or numbers[0] == numbers[1]:
        fail_attribute(ctx, "default_ranges", given, "give the smallest and the largest value, with 0 between them")

def _check_open_batch(ctx):
    shapes = ctx.attr.input_shapes
    if ctx.attr.converter == "toco" and [shape for shape in shapes if shape.startswith("?")]:
        fail_attribute(ctx, "input_shapes", shapes, "give every size: TOCO keeps no batch open, the converter \"mlir\" does")

def _check_uint8_of_mlir(ctx):
    if ctx.attr.converter == "toco" or ctx.attr.inference_type == "FLOAT":
        return
    for attribute in ["inference_input_type", "inference_output_type"]:
        given = getattr(ctx.attr, attribute)
        if given != "FLOAT":
            fail_attribute(ctx, attribute, given, "give none with inference_type = " + ctx.attr.inference_type)

def _check_input_stats(ctx, graph):
    quantized = ctx.attr.inference_type == "QUANTIZED_UINT8"
    for attribute, is_allowed, allowed in [
        ("mean_values", _is_stored_value, "give numbers from 0 to 255, the values of a uint8"),
        ("std_dev_values", _is_positive, "give numbers above 0"),
    ]:
        given = getattr(ctx.attr, attribute)
        if given and not quantized:
            fail_attribute(ctx, attribute, given, "give none with inference_type = " + ctx.attr.inference_type)
        names = ctx.attr.input_arrays
        unstated = graph.signature and not names
        if quantized and (not given or len(given) != len(names) and not unstated):
            fail_attribute(ctx, attribute, given, "give one number for each of input_arrays")
        if [value for value in given if not is_allowed(value)]:
            fail_attribute(ctx, attribute, given, allowed)
    if not quantized:
        return
    if not graph.checkpoint.quantization_aware and not ctx.attr.default_ranges:
        fail_attribute(
            ctx,
            "inference_type",
            ctx.attr.inference_type,
            "{} is not quantization-aware, so it has no ranges; use a quantization-aware checkpoint, or ".format(
                label_text(ctx.attr.graph.label),
            ) + "converter = \"mlir\" with a representative_dataset",
        )
    if graph.preprocessing:
        _check_preprocessing(ctx, graph.preprocessing)

def _check_preprocessing(ctx, preprocessing):
    row = PREPROCESSINGS[preprocessing]
    unit, mean, std_dev = row.get("unit", 1.0), row.get("mean"), row.get("deviation")

    # A single zero point cannot express a mean per channel.
    if type(mean) != "float" or type(std_dev) != "float":
        fail_attribute(
            ctx,
            "inference_type",
            ctx.attr.inference_type,
            "no mean and standard deviation of a quantized input can express \"{}\"".format(preprocessing),
        )
    for attribute, number, tolerance in [
        ("mean_values", unit * mean, _MEAN_TOLERANCE),
        ("std_dev_values", unit * std_dev, _STD_DEV_TOLERANCE * unit * std_dev),
    ]:
        given = getattr(ctx.attr, attribute)
        for value in given:
            difference = parse_number(value) - number
            if difference > tolerance or difference < -tolerance:
                fail_attribute(
                    ctx,
                    attribute,
                    given,
                    "{} has the preprocessing \"{}\", which needs {}".format(label_text(ctx.attr.graph.label), preprocessing, number),
                )

def _check_post_training(ctx, graph):
    if ctx.attr.representative_dataset and not ctx.attr.optimizations:
        fail_attribute(
            ctx,
            "representative_dataset",
            label_text(ctx.attr.representative_dataset.label),
            "without optimizations = [\"DEFAULT\"] nothing is quantized",
        )
    if ctx.attr.supported_types and not ctx.attr.optimizations:
        fail_attribute(ctx, "supported_types", ctx.attr.supported_types, "it needs optimizations = [\"DEFAULT\"]")
    if ctx.attr.supported_types and ctx.attr.representative_dataset:
        fail_attribute(ctx, "supported_types", ctx.attr.supported_types, "give it or representative_dataset, not both")
    integer = ctx.attr.representative_dataset or graph.checkpoint.quantization_aware
    if ctx.attr.float_operators and not integer:
        fail_attribute(
            ctx,
            "float_operators",
            ctx.attr.float_operators,
            "give none: without a representative_dataset or ranges all operators may compute in floating point",
        )
    for attribute in ["inference_input_type", "inference_output_type"]:
        given = getattr(ctx.attr, attribute)
        if given != "FLOAT" and not integer:
            fail_attribute(ctx, attribute, given, "without a representative_dataset the model computes in FLOAT")
    if "TFLITE_BUILTINS_INT8" in ctx.attr.supported_ops and not integer:
        fail_attribute(ctx, "supported_ops", ctx.attr.supported_ops, "TFLITE_BUILTINS_INT8 needs a representative_dataset")

def _check_custom_ops(ctx):
    if ctx.attr.allow_custom_ops and ctx.attr.inference_output_type != "FLOAT":
        fail_attribute(
            ctx,
            "inference_output_type",
            ctx.attr.inference_output_type,
            "a custom op such as TFLite_Detection_PostProcess has FLOAT outputs only",
        )

def _recipe_impl(ctx):
    graph = ctx.attr.graph[FrozenGraphInfo]
    _check_values(ctx)
    _check_arrays(ctx, graph)
    _check_quantization_aware(ctx, graph)
    _check_converter(ctx)
    _check_open_batch(ctx)
    _check_uint8_of_mlir(ctx)
    _check_default_ranges(ctx)
    _check_input_stats(ctx, graph)
    _check_custom_ops(ctx)
    _check_post_training(ctx, graph)
    dataset = ctx.attr.representative_dataset
    flags = ctx.actions.declare_file(ctx.label.name + ".flags")
    ctx.actions.write(flags, "".join([flag + "\n" for flag in converter_flags(ctx.attr, graph)]))
    return [
        DefaultInfo(files = depset([flags]), runfiles = ctx.runfiles(files = [flags])),
        ConversionInfo(
            graph = graph,
            converter = ctx.attr.converter,
            flags = flags,
            representative_dataset = dataset[RepresentativeDatasetInfo].samples if dataset else None,
            fold_as = ctx.attr.fold_as,
            benchmark_only = ctx.attr.benchmark_only,
            integer = bool(ctx.attr.inference_type == "QUANTIZED_UINT8" or dataset or
                           ctx.attr.converter == "mlir" and graph.checkpoint.quantization_aware),
            float_operators = ctx.attr.float_operators,
            minimum_operators = ctx.attr.minimum_operators,
        ),
    ]

RECIPE_ATTRS = {
    "converter": attr.string(doc = "`toco`, TensorFlow's converter before MLIR, or `mlir`.", default = "toco"),
    "graph": attr.label(doc = "The frozen graph.", mandatory = True, providers = [FrozenGraphInfo]),
    "input_arrays": attr.string_list(doc = "The inputs' names; may be empty if the graph has a signature."),
    "input_shapes": attr.string_list(doc = "The inputs' shapes, each like `1,320,320,3`; likewise. MLIR: `?` for a batch that stays open."),
    "output_arrays": attr.string_list(doc = "The outputs' names, in the model's order; likewise."),
    "inference_type": attr.string(
        doc = "`FLOAT`, or `QUANTIZED_UINT8` for a quantization-aware graph, whose weights then are uint8 too; with MLIR, " +
              "`inference_input_type` gives int8 weights instead.",
        default = _ONLY_TOCO["inference_type"],
    ),
    # Attributes have no floating-point type, so these three are text.
    "mean_values": attr.string_list(
        doc = "list of floats: for each input of a `QUANTIZED_UINT8` model, the stored uint8 that means 0.0 (its zero point).",
    ),
    "std_dev_values": attr.string_list(
        doc = "list of floats: for each input of a `QUANTIZED_UINT8` model, the number of stored steps for 1.0 (1 / its scale).",
    ),
    "default_ranges": attr.string_list(
        doc = "list of floats: TOCO: the smallest and the largest value of every array without a range; with `benchmark_only`.",
    ),
    "benchmark_only": attr.bool(
        doc = "Declares that the model is for benchmarks only, with wrong results. Its description says so.",
    ),
    "change_concat_input_ranges": attr.bool(
        doc = "TOCO: whether all inputs of a quantized concatenation get one range.",
    ),
    "allow_custom_ops": attr.bool(
        doc = "Whether to keep ops that TensorFlow Lite does not define, such as TFLite_Detection_PostProcess.",
    ),
    "optimizations": attr.string_list(
        doc = "MLIR: `[\"DEFAULT\"]` for post-training quantization: of the weights alone (dynamic range), or of " +
              "everything with a `representative_dataset`. Not for a quantization-aware graph.",
    ),
    "supported_ops": attr.string_list(
        doc = "MLIR: some of `TFLITE_BUILTINS`, `TFLITE_BUILTINS_INT8`. `SELECT_TF_OPS` is refused, since a converted " +
              "model is checked without TensorFlow's kernels.",
        default = _ONLY_MLIR["supported_ops"],
    ),
    "supported_types": attr.string_list(doc = "MLIR: `[\"float16\"]` stores weights as float16."),
    "representative_dataset": attr.label(
        doc = "MLIR: inputs on which ranges are measured, such as a `photograph_dataset`.",
        providers = [RepresentativeDatasetInfo],
    ),
    "inference_input_type": attr.string(
        doc = "MLIR: the type of a full-integer model's inputs: `FLOAT`, `INT8` or `UINT8`.",
        default = _ONLY_MLIR["inference_input_type"],
    ),
    "inference_output_type": attr.string(
        doc = "MLIR: the type of a full-integer model's outputs, likewise.",
        default = _ONLY_MLIR["inference_output_type"],
    ),
    "fold_as": attr.string(
        doc = "MLIR: computes the constants of folded batch norms as another CPU and TensorFlow do, to the last bit, to " +
              "reach a published file: " + ", ".join(["`{}`".format(name) for name in FOLDS]) + ". There, 2.3 stands for " +
              "2.3 to 2.12, and 2.13 for later ones. By default they are exact. The model's description says so.",
        default = _ONLY_MLIR["fold_as"],
    ),
    "keep_signature": attr.bool(
        doc = "MLIR: whether the model has the signature of the graph's source. Without one, callers go by the order of " +
              "inputs and outputs; TensorFlow before 2.5 wrote none.",
        default = _ONLY_MLIR["keep_signature"],
    ),
    "minimum_operators": attr.int(
        doc = "A model with fewer operators fails the build as a broken export.",
        default = 10,
    ),
    "float_operators": attr.string_list(
        doc = "Operators, such as `SOFTMAX`, that may compute in floating point in a full-integer model.",
    ),
}

recipe = rule(
    implementation = _recipe_impl,
    doc = """The recipe of a conversion. Stops the analysis with a message for attributes that no converter accepts;
makes `NAME.flags`, the converter's flags except those for files.

It is a separate target because a genrule cannot check its own flags.""",
    attrs = RECIPE_ATTRS,
    provides = [ConversionInfo],
)
