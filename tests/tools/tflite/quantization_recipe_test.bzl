"""A recipe that litert-quantizer cannot follow stops the analysis with the reason."""

load("//tools/tflite:defs.bzl", "quantization_recipe", "quantized_model", "tflite_file", "tflite_model")
load(":refusals.bzl", "not_allowed", "refusal", "refusal_tests")

# Only their tests analyze the targets under test.
_MANUAL = ["manual"]

_DYNAMIC = {"method": "dynamic"}
_STATIC = {"activations": "int8", "method": "static"}
_BLOCKS = {"block_size": 32, "granularity": "blockwise", "method": "dynamic", "weights": "int4"}

# (the good recipe, an attribute, its value that is not, what is allowed)
_REFUSED = {
    "recipe_of_an_unknown_method": (_DYNAMIC, "method", "integer", "give one of dynamic, static, weight_only"),
    "recipe_of_float_weights": (_DYNAMIC, "weights", "float16", "give one of int8, int4"),
    "recipe_of_int2": (_DYNAMIC, "weights", "int2", "give one of int8, int4"),
    "recipe_of_the_same_other_weights": (_DYNAMIC, "other_weights", "int8", "give another type than weights, or none"),
    "recipe_of_unknown_other_weights": (_BLOCKS, "other_weights", "int16", "give one of int8 with weights = \"int4\""),
    "recipe_of_the_same_by_layer": (
        _DYNAMIC,
        "weights_by_layer",
        {"a": "int8"},
        "give a type other than weights, which all layers get",
    ),
    "recipe_of_float_by_layer": (
        _DYNAMIC,
        "weights_by_layer",
        {"a": "float32"},
        "give one of int8, int4; name layers that stay in floating point in float_layers",
    ),
    "recipe_without_activations": (_STATIC, "activations", "", "give one of int8, int16 with method = \"static\""),
    "recipe_of_unneeded_activations": (
        _DYNAMIC,
        "activations",
        "int8",
        "only method = \"static\" has it, but method is \"dynamic\"",
    ),
    "recipe_of_unknown_granularity": (_DYNAMIC, "granularity", "rows", "give one of per_channel, per_tensor, blockwise"),
    "recipe_of_blocks_of_int8": (_BLOCKS, "weights", "int8", None),
    "recipe_of_blocks_that_is_static": (
        _STATIC,
        "granularity",
        "blockwise",
        "only method = \"dynamic\" has it, but method is \"static\"",
    ),
    "recipe_of_blocks_without_a_size": (_BLOCKS, "block_size", 0, "give one of 32, 64, 128, 256 with granularity = \"blockwise\""),
    "recipe_of_blocks_of_33": (_BLOCKS, "block_size", 33, "give one of 32, 64, 128, 256 with granularity = \"blockwise\""),
    "recipe_of_unneeded_blocks": (_DYNAMIC, "block_size", 32, "give it only with granularity = \"blockwise\""),
    "recipe_of_an_empty_pattern": (_DYNAMIC, "float_layers", [""], "give no empty pattern, which matches every layer"),
    "recipe_of_an_empty_pattern_by_layer": (
        _DYNAMIC,
        "weights_by_layer",
        {"": "int4"},
        "give no empty pattern, which matches every layer",
    ),
}

def quantization_recipe_test_suite(name):
    """Declares tests of each wrong recipe, and of wrong attributes of a `quantized_model`.

    Args:
      name: the name of the test suite of them all.
    """
    refusals = {}
    for case, (good, attribute, given, allowed) in _REFUSED.items():
        quantization_recipe(name = case, tags = _MANUAL, **(good | {attribute: given}))
        refusals[case] = refusal(case, not_allowed(attribute, repr(given), allowed)) if allowed else refusal(
            case,
            not_allowed("granularity", "\"blockwise\"", "only weights = \"int4\" has it"),
        )
    quantization_recipe(
        name = "recipe_of_one_pattern_twice",
        float_layers = ["a"],
        method = "dynamic",
        tags = _MANUAL,
        weights_by_layer = {"a": "int4"},
    )
    refusals["recipe_of_one_pattern_twice"] = refusal(
        "recipe_of_one_pattern_twice",
        not_allowed("float_layers", "[\"a\"]", "weights_by_layer has it, too; give it in one of them"),
    )

    quantization_recipe(name = "good_dynamic", tags = _MANUAL, **_DYNAMIC)
    quantization_recipe(name = "good_static", tags = _MANUAL, **_STATIC)
    quantization_recipe(name = "good_static_but_one", float_layers = ["a"], tags = _MANUAL, **_STATIC)
    quantization_recipe(name = "good_blocks", other_weights = "int8", tags = _MANUAL, **_BLOCKS)
    tflite_file(name = "float_file", src = "foreign.tflite", tags = _MANUAL)
    tflite_model(
        name = "integer_model",
        converter = "mlir",
        graph = ":graph",
        input_arrays = ["a"],
        input_shapes = ["1,2"],
        optimizations = ["DEFAULT"],
        output_arrays = ["x"],
        representative_dataset = ":dataset",
        tags = _MANUAL,
    )
    for case, attributes in {
        "quantized_again": {"model": ":integer_model"},
        "quantized_within_anything": {"maximum_error": 1},
        "quantized_within_nothing": {"maximum_error": 0},
        "quantized_within_text": {"maximum_error": "small"},
        "quantized_well": {"maximum_error": 0.5},
        "quantized_without_a_dataset": {"recipe": ":good_static"},
        "quantized_with_a_dataset": {
            "float_operators": ["ADD"],
            "recipe": ":good_static",
            "representative_dataset": ":dataset",
        },
        "quantized_with_float_operators": {
            "float_operators": ["ADD"],
            "recipe": ":good_static_but_one",
            "representative_dataset": ":dataset",
        },
    }.items():
        quantized_model(name = case, tags = _MANUAL, **({"model": ":float_file", "recipe": ":good_dynamic"} | attributes))
    package = "//{}:".format(native.package_name())
    error = "give a part of an output's range, between 0 and 1, such as 0.05"
    refusals["quantized_again"] = refusal("quantized_again", not_allowed(
        "model",
        repr(package + "integer_model"),
        "it is quantized already; give a model in floating point",
    ))
    refusals["quantized_within_anything"] = refusal("quantized_within_anything", not_allowed("maximum_error", "\"1\"", error))
    refusals["quantized_within_nothing"] = refusal("quantized_within_nothing", not_allowed("maximum_error", "\"0\"", error))
    refusals["quantized_within_text"] = refusal("quantized_within_text", not_allowed("maximum_error", "\"small\"", error))
    refusals["quantized_with_float_operators"] = refusal("quantized_with_float_operators", not_allowed(
        "float_operators",
        "[\"ADD\"]",
        "give none: only method = \"static\" without float_layers makes a model that has to compute in integers",
    ))
    refusals["quantized_without_a_dataset.raw"] = refusal("quantized_without_a_dataset.raw", not_allowed(
        "representative_dataset",
        "None",
        "the recipe {}good_static has method = \"static\", which measures ranges on one".format(package),
    ))
    refusal_tests(name, refusals, ["good_blocks", "quantized_well", "quantized_with_a_dataset"])
