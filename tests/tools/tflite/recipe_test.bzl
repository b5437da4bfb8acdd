"""A recipe that no converter accepts stops the analysis with the reason."""

load("//tools/tflite:defs.bzl", "tflite_model")
load(":refusals.bzl", "not_allowed", "refusal", "refusal_tests")

# Only their tests analyze the targets under test, since most cannot be analyzed.
_MANUAL = ["manual"]

# A good recipe of each kind.
_FLOAT = {"graph": ":graph"}
_QUANTIZED = {
    "graph": ":graph_with_ranges",
    "inference_type": "QUANTIZED_UINT8",
    "mean_values": [128],
    "std_dev_values": [128],
}
_MLIR = {"converter": "mlir", "graph": ":graph"}
_INTEGER = {
    "converter": "mlir",
    "graph": ":graph",
    "optimizations": ["DEFAULT"],
    "representative_dataset": ":dataset",
}

_NAMES = "give every name as a separate item, without quotes, commas, spaces or dollar signs"
_ONE_VALUE = "give one number for each of input_arrays"

# (the good recipe, an attribute, what is allowed, values that are not by the names of their cases)
_VALUES = [
    (_FLOAT, "inference_type", "give one of FLOAT, QUANTIZED_UINT8", {"inference_type_unknown": "INT8"}),
    (_FLOAT, "input_arrays", "give at least one name", {"input_arrays_empty": []}),
    (_FLOAT, "input_arrays", _NAMES, {
        "input_array_in_double_quotes": ["\"a\""],
        "input_array_in_quotes": ["'a'"],
        "input_array_without_a_name": [""],
        "input_arrays_in_one_string": ["a,b"],
    }),
    (_FLOAT, "output_arrays", "give at least one name", {"output_arrays_empty": []}),
    (_FLOAT, "output_arrays", _NAMES, {
        "output_array_in_quotes": ["x", "'y'"],
        "output_array_with_a_dollar_sign": ["$(TOCO)"],
        "output_array_with_a_space": ["x y"],
        "output_array_with_a_tab": ["x\ty"],
        "output_arrays_in_one_string": ["x,y"],
    }),
    (_FLOAT, "input_shapes", "give one shape like \"1,320,320,3\" for each of input_arrays", {
        "input_shape_empty": [""],
        "input_shape_of_a_batch_alone": ["?"],
        "input_shape_open_at_its_end": ["1,?"],
        "input_shape_in_brackets": ["[1,2]"],
        "input_shape_of_any_size": ["-1,2"],
        "input_shape_with_a_hole": ["1,,2"],
        "input_shape_with_a_zero": ["1,0"],
        "input_shapes_missing": [],
        "input_shapes_one_too_many": ["1,2", "1,2"],
    }),
    (_FLOAT, "mean_values", "give none with inference_type = FLOAT", {"mean_values_for_float": [128]}),
    (_FLOAT, "std_dev_values", "give none with inference_type = FLOAT", {"std_dev_values_for_float": [128]}),
    (_FLOAT, "minimum_operators", "give a whole number of at least 1", {"minimum_operators_0": 0}),
    (_QUANTIZED, "mean_values", _ONE_VALUE, {
        "mean_values_missing": [],
        "mean_values_one_too_many": [1, 2],
    }),
    (_QUANTIZED, "mean_values", "give numbers from 0 to 255, the values of a uint8", {
        "mean_value_above_255": [256],
        "mean_value_just_above_255": [255.5],
        "mean_value_negative": [-1],
        "mean_value_no_number": ["half"],
    }),
    (_QUANTIZED, "std_dev_values", _ONE_VALUE, {
        "std_dev_values_missing": [],
        "std_dev_values_one_too_many": [1, 2],
    }),
    (_QUANTIZED, "std_dev_values", "give numbers above 0", {
        "std_dev_value_negative": [-128],
        "std_dev_value_no_number": ["1/128"],
        "std_dev_value_zero": [0],
        "std_dev_value_zero_point_zero": [0.0],
    }),
    (_FLOAT, "converter", "give one of mlir, toco", {"converter_unknown": "lite"}),
    (_MLIR, "change_concat_input_ranges", "only the converter \"toco\" has it, but converter is \"mlir\"", {
        "concat_ranges_with_mlir": True,
    }),
    (_FLOAT, "optimizations", "only the converter \"mlir\" has it, but converter is \"toco\"", {
        "optimizations_with_toco": ["DEFAULT"],
    }),
    (_FLOAT, "representative_dataset", "only the converter \"mlir\" has it, but converter is \"toco\"", {
        "dataset_with_toco": ":dataset",
    }),
    (_FLOAT, "fold_as", "only the converter \"mlir\" has it, but converter is \"toco\"", {
        "fold_as_with_toco": "intel, 2.3",
    }),
    (
        _MLIR,
        "fold_as",
        "give one of \"intel, 2.3\", \"intel, 2.13\", \"amd, 2.3\", \"amd, 2.13\", \"arm, 2.13\", \"avx-512, 2.13\", " +
        "or none for exact constants",
        {"fold_as_unknown": "intel"},
    ),
    (_FLOAT, "keep_signature", "only the converter \"mlir\" has it, but converter is \"toco\"", {
        "no_signature_with_toco": False,
    }),
    (_MLIR, "optimizations", "give some of DEFAULT", {"optimization_unknown": ["OPTIMIZE_FOR_SIZE"]}),
    (_MLIR, "supported_types", "it needs optimizations = [\"DEFAULT\"]", {
        "float16_without_optimizations": ["float16"],
    }),
    (_INTEGER, "supported_types", "give it or representative_dataset, not both", {
        "float16_with_a_dataset": ["float16"],
    }),
    (_FLOAT, "benchmark_only", "give it only with default_ranges, with which a model's results are wrong", {
        "benchmark_only_without_a_reason": True,
    }),
    (_MLIR, "supported_ops", "give at least one of TFLITE_BUILTINS, TFLITE_BUILTINS_INT8", {
        "supported_ops_empty": [],
    }),
    (
        _MLIR,
        "float_operators",
        "give none: without a representative_dataset or ranges all operators may compute in floating point",
        {"float_operators_of_a_float_model": ["SOFTMAX"]},
    ),
]

# Known mistakes, for example from public issues. name: (the good recipe, differences from it, the refused attribute,
# what is allowed)
_PITFALLS = {
    "input_array_given_twice": (
        _FLOAT,
        {"input_arrays": ["a", "a:0"], "input_shapes": ["1,2", "1,2"]},
        "input_arrays",
        "give every name once",
    ),
    # A QAT graph and post-training quantization exclude each other.
    "optimizations_of_a_graph_with_ranges": (
        _QUANTIZED,
        {"optimizations": ["DEFAULT"]},
        "optimizations",
        "give none: //{package}:graph_with_ranges is quantization-aware, so its own ranges decide",
    ),
    "dataset_for_a_graph_with_ranges": (
        _INTEGER,
        {"graph": ":graph_with_ranges", "optimizations": []},
        "representative_dataset",
        "give none: //{package}:graph_with_ranges is quantization-aware, so its own ranges decide",
    ),
    # The published recipe of mobiledet_cpu_int8.
    "input_stats_with_optimizations": (
        _MLIR,
        {"mean_values": [128], "optimizations": ["DEFAULT"], "std_dev_values": [128]},
        "mean_values",
        "give none with converter = \"mlir\": for a graph without ranges, input statistics with optimizations = " +
        "[\"DEFAULT\"] quantize the weights alone, silently; for a full-integer model give a representative_dataset",
    ),
    "concat_ranges_with_mlir": (
        _MLIR,
        {"change_concat_input_ranges": True},
        "change_concat_input_ranges",
        "only the converter \"toco\" has it, but converter is \"mlir\"",
    ),
    "uint8_with_mlir_and_int8_inputs": (
        _QUANTIZED,
        {"converter": "mlir", "inference_input_type": "INT8"},
        "inference_input_type",
        "give none with inference_type = QUANTIZED_UINT8",
    ),
    "uint8_with_mlir_without_ranges": (
        _QUANTIZED,
        {"converter": "mlir", "graph": ":graph"},
        "inference_type",
        "//{package}:graph is not quantization-aware, so it has no ranges; use a quantization-aware " +
        "checkpoint, or converter = \"mlir\" with a representative_dataset",
    ),
    "open_batch_with_toco": (
        _FLOAT,
        {"input_shapes": ["?,2"]},
        "input_shapes",
        "give every size: TOCO keeps no batch open, the converter \"mlir\" does",
    ),
    "dataset_without_optimizations": (
        _INTEGER,
        {"optimizations": []},
        "representative_dataset",
        "without optimizations = [\"DEFAULT\"] nothing is quantized",
    ),
    "integer_input_without_a_dataset": (
        _MLIR,
        {"inference_input_type": "UINT8", "optimizations": ["DEFAULT"]},
        "inference_input_type",
        "without a representative_dataset the model computes in FLOAT",
    ),
    "builtins_int8_without_a_dataset": (
        _MLIR,
        {"optimizations": ["DEFAULT"], "supported_ops": ["TFLITE_BUILTINS_INT8"]},
        "supported_ops",
        "TFLITE_BUILTINS_INT8 needs a representative_dataset",
    ),
    # "Unsupported output type UINT8", at the end of a long conversion.
    "integer_output_with_the_custom_op": (
        _INTEGER,
        {"allow_custom_ops": True, "inference_output_type": "UINT8"},
        "inference_output_type",
        "a custom op such as TFLite_Detection_PostProcess has FLOAT outputs only",
    ),
    "select_tf_ops": (
        _MLIR,
        {"supported_ops": ["TFLITE_BUILTINS", "SELECT_TF_OPS"]},
        "supported_ops",
        "SELECT_TF_OPS makes a model that runs only beside TensorFlow's kernels, and a converted model is checked " +
        "without them; give some of TFLITE_BUILTINS, TFLITE_BUILTINS_INT8",
    ),
    "quantized_without_ranges": (
        _QUANTIZED,
        {"graph": ":graph"},
        "inference_type",
        "//{package}:graph is not quantization-aware, so it has no ranges; use a quantization-aware " +
        "checkpoint, or converter = \"mlir\" with a representative_dataset",
    ),
    "default_ranges_undeclared": (
        _QUANTIZED,
        {"default_ranges": [0, 6], "graph": ":graph"},
        "default_ranges",
        "with made-up ranges a model's results are wrong; export a quantization-aware checkpoint, give a " +
        "representative_dataset, or declare benchmark_only = True",
    ),
    "default_ranges_without_zero": (
        _QUANTIZED,
        {"benchmark_only": True, "default_ranges": [1, 6], "graph": ":graph"},
        "default_ranges",
        "give the smallest and the largest value, with 0 between them",
    ),
    "output_array_undeclared": (
        _FLOAT,
        {"graph": ":graph_of_declared_arrays", "output_arrays": ["x", "z"]},
        "output_arrays",
        "//{package}:graph_of_declared_arrays offers a, x, y",
    ),
    "second_output_undeclared": (
        _FLOAT,
        {"graph": ":graph_of_declared_arrays", "output_arrays": ["x:1"]},
        "output_arrays",
        "//{package}:graph_of_declared_arrays offers a, x, y",
    ),
    "input_array_undeclared": (
        _FLOAT,
        {"graph": ":graph_of_declared_arrays", "input_arrays": ["image"]},
        "input_arrays",
        "//{package}:graph_of_declared_arrays offers a, x, y",
    ),
    "mean_of_another_preprocessing": (
        _QUANTIZED,
        {"graph": ":graph_of_zero_to_one", "std_dev_values": [255]},
        "mean_values",
        "//{package}:graph_of_zero_to_one has the preprocessing \"zero_to_one\", which needs 0.0",
    ),
    "std_dev_of_another_preprocessing": (
        _QUANTIZED,
        {"graph": ":graph_of_minus_one_to_one", "std_dev_values": [255]},
        "std_dev_values",
        "//{package}:graph_of_minus_one_to_one has the preprocessing \"minus_one_to_one\", which needs 127.5",
    ),
    "preprocessing_that_no_stats_can_say": (
        _QUANTIZED,
        {"graph": ":graph_of_imagenet_mean"},
        "inference_type",
        "no mean and standard deviation of a quantized input can express \"imagenet_mean\"",
    ),
}

_ACCEPTED = {
    "mean_value_0": (_QUANTIZED, {"mean_values": [0]}),
    "mean_value_255": (_QUANTIZED, {"mean_values": [255]}),
    "std_dev_value_tiny": (_QUANTIZED, {"std_dev_values": [0.00001]}),
    "mean_and_std_dev_with_decimals": (_QUANTIZED, {"mean_values": [127.5], "std_dev_values": [0.5]}),
    "mean_and_std_dev_128_128": (_QUANTIZED, {"graph": ":graph_of_minus_one_to_one"}),
    "mean_and_std_dev_128_127": (_QUANTIZED, {"graph": ":graph_of_minus_one_to_one", "std_dev_values": [127]}),
    "default_ranges_declared": (
        _QUANTIZED,
        {"benchmark_only": True, "default_ranges": [-1, 6.5], "graph": ":graph"},
    ),
    "declared_arrays": (_FLOAT, {"graph": ":graph_of_declared_arrays", "output_arrays": ["y"]}),
    "declared_arrays_by_their_output_0": (
        _FLOAT,
        {"graph": ":graph_of_declared_arrays", "input_arrays": ["a:0"], "output_arrays": ["y:0"]},
    ),
    "full_integer_with_the_custom_op": (_INTEGER, {"allow_custom_ops": True, "inference_input_type": "UINT8"}),
    "open_batch_with_mlir": (_MLIR, {"input_shapes": ["?,2"]}),
    "uint8_with_mlir": (_QUANTIZED, {"converter": "mlir"}),
    "ranges_with_mlir": (_MLIR, {"graph": ":graph_with_ranges", "inference_input_type": "INT8"}),
}

def _model(name, good, changes):
    """Declares a model and returns its recipe."""
    recipe = {"input_arrays": ["a"], "input_shapes": ["1,2"], "output_arrays": ["x", "y:1"]} | good
    if changes.get("graph") == ":graph_of_declared_arrays":
        recipe["output_arrays"] = ["x"]
    recipe.update(changes)
    tflite_model(name = name, tags = _MANUAL, **recipe)
    return recipe

def _shown(value):
    """Returns a value as a message shows it: numbers in a list are texts, and labels are whole."""
    if type(value) == "list":
        value = [str(item) for item in value]
    elif type(value) == "string" and value.startswith(":"):
        value = "//" + native.package_name() + value
    return repr(value)

def recipe_test_suite(name):
    """Declares a test for each wrong attribute, and for valid values at the limits.

    Args:
      name: the test suite's name.
    """
    cases = dict(_PITFALLS)
    for good, attribute, allowed, values in _VALUES:
        for case, value in values.items():
            cases[case] = (good, {attribute: value}, attribute, allowed)
    refusals = {}
    for case, (good, changes, attribute, allowed) in cases.items():
        given = _shown(_model(case, good, changes)[attribute])

        # The conversion is refused like the model, so it cannot run unchecked.
        message = not_allowed(attribute, given, allowed.replace("{package}", native.package_name()))
        refusals[case] = refusal(case + ".recipe", message)
        refusals[case + ".raw"] = refusal(case + ".recipe", message)
    for case, (good, changes) in _ACCEPTED.items():
        _model(case, good, changes)
    refusal_tests(name, refusals, _ACCEPTED.keys())
