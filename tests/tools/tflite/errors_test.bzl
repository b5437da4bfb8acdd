"""A wrong attribute stops the analysis with the label, the attribute, what was given and what is allowed."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//tools/tflite:defs.bzl", "ssd_frozen_graph", "tflite_model")

# The tests look behind the public rules.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:released_checkpoint.bzl", "released_archive", "released_checkpoint")

# buildifier: disable=bzl-visibility
load("//tools/tflite/private:seeded_ssd_checkpoint.bzl", "seeded_ssd_checkpoint")

def _refusal_test_impl(ctx):
    env = analysistest.begin(ctx)
    for part in ctx.attr.parts:
        asserts.expect_failure(env, part)
    return analysistest.end(env)

_refusal_test = analysistest.make(
    _refusal_test_impl,
    expect_failure = True,
    attrs = {"parts": attr.string_list(doc = "What the message has to contain.", mandatory = True)},
)

def _accepted_test_impl(ctx):
    return analysistest.end(analysistest.begin(ctx))

_accepted_test = analysistest.make(_accepted_test_impl)

# A target under test is analyzed by its test only: most of them cannot be.
_MANUAL = ["manual"]

_SHAPES = "give one shape like \"1,320,320,3\" for each of input_arrays"
_NAMES = "give every name as an item of its own, without quotes, commas, spaces or dollar signs"

# name: (what differs from a good FLOAT recipe, the attribute that is refused, its text, what is allowed)
_FLOAT_RECIPES = {
    "inference_type_unknown": (
        {"inference_type": "INT8"},
        "inference_type",
        "\"INT8\"",
        "give one of FLOAT, QUANTIZED_UINT8",
    ),
    "input_arrays_empty": ({"input_arrays": []}, "input_arrays", "[]", "give at least one name"),
    "input_array_without_a_name": ({"input_arrays": [""]}, "input_arrays", "[\"\"]", _NAMES),
    "input_arrays_in_one_string": ({"input_arrays": ["a,b"]}, "input_arrays", "[\"a,b\"]", _NAMES),
    "input_array_in_quotes": ({"input_arrays": ["'a'"]}, "input_arrays", "[\"'a'\"]", _NAMES),
    "input_array_in_double_quotes": ({"input_arrays": ["\"a\""]}, "input_arrays", "[\"\\\"a\\\"\"]", _NAMES),
    "output_arrays_empty": ({"output_arrays": []}, "output_arrays", "[]", "give at least one name"),
    "output_arrays_in_one_string": ({"output_arrays": ["x,y"]}, "output_arrays", "[\"x,y\"]", _NAMES),
    "output_array_in_quotes": ({"output_arrays": ["x", "'y'"]}, "output_arrays", "[\"x\", \"'y'\"]", _NAMES),
    "output_array_with_a_space": ({"output_arrays": ["x y"]}, "output_arrays", "[\"x y\"]", _NAMES),
    "output_array_with_a_tab": ({"output_arrays": ["x\ty"]}, "output_arrays", "[\"x\\ty\"]", _NAMES),
    "output_array_with_a_dollar_sign": ({"output_arrays": ["$(TOCO)"]}, "output_arrays", "[\"$(TOCO)\"]", _NAMES),
    "input_shapes_missing": ({"input_shapes": []}, "input_shapes", "[]", _SHAPES),
    "input_shapes_one_too_many": (
        {"input_shapes": ["1,2", "1,2"]},
        "input_shapes",
        "[\"1,2\", \"1,2\"]",
        _SHAPES,
    ),
    "input_shape_in_brackets": ({"input_shapes": ["[1,2]"]}, "input_shapes", "[\"[1,2]\"]", _SHAPES),
    "input_shape_with_a_hole": ({"input_shapes": ["1,,2"]}, "input_shapes", "[\"1,,2\"]", _SHAPES),
    "input_shape_empty": ({"input_shapes": [""]}, "input_shapes", "[\"\"]", _SHAPES),
    "input_shape_of_any_size": ({"input_shapes": ["-1,2"]}, "input_shapes", "[\"-1,2\"]", _SHAPES),
    "input_shape_with_a_zero": ({"input_shapes": ["1,0"]}, "input_shapes", "[\"1,0\"]", _SHAPES),
    "mean_values_for_float": (
        {"mean_values": [128]},
        "mean_values",
        "[\"128\"]",
        "give none with inference_type = FLOAT",
    ),
    "std_dev_values_for_float": (
        {"std_dev_values": [128]},
        "std_dev_values",
        "[\"128\"]",
        "give none with inference_type = FLOAT",
    ),
}

# The same for a good QUANTIZED_UINT8 recipe with mean 128 and standard deviation 128.
_ONE_VALUE = "give one number for each of input_arrays"
_STORED = "give numbers from 0 to 255, the values of a uint8"
_POSITIVE = "give numbers above 0"
_QUANTIZED_RECIPES = {
    "mean_values_missing": ({"mean_values": []}, "mean_values", "[]", _ONE_VALUE),
    "std_dev_values_missing": ({"std_dev_values": []}, "std_dev_values", "[]", _ONE_VALUE),
    "mean_values_one_too_many": ({"mean_values": [1, 2]}, "mean_values", "[\"1\", \"2\"]", _ONE_VALUE),
    "std_dev_values_one_too_many": ({"std_dev_values": [1, 2]}, "std_dev_values", "[\"1\", \"2\"]", _ONE_VALUE),
    "mean_value_no_number": ({"mean_values": ["half"]}, "mean_values", "[\"half\"]", _STORED),
    "std_dev_value_no_number": ({"std_dev_values": ["1/128"]}, "std_dev_values", "[\"1/128\"]", _POSITIVE),
    "mean_value_negative": ({"mean_values": [-1]}, "mean_values", "[\"-1\"]", _STORED),
    "mean_value_above_255": (
        {"mean_values": [256]},
        "mean_values",
        "[\"256\"]",
        _STORED,
    ),
    "mean_value_just_above_255": (
        {"mean_values": [255.5]},
        "mean_values",
        "[\"255.5\"]",
        _STORED,
    ),
    "std_dev_value_negative": (
        {"std_dev_values": [-128]},
        "std_dev_values",
        "[\"-128\"]",
        _POSITIVE,
    ),
    "std_dev_value_zero": ({"std_dev_values": [0]}, "std_dev_values", "[\"0\"]", _POSITIVE),
    "std_dev_value_zero_point_zero": (
        {"std_dev_values": [0.0]},
        "std_dev_values",
        "[\"0.0\"]",
        _POSITIVE,
    ),
}

_ACCEPTED_RECIPES = {
    "mean_value_0": {"mean_values": [0]},
    "mean_value_255": {"mean_values": [255]},
    "std_dev_value_tiny": {"std_dev_values": [0.00001]},
    "mean_and_std_dev_with_decimals": {"mean_values": [127.5], "std_dev_values": [0.5]},
}

def _model(name, changes, quantized):
    recipe = {"input_arrays": ["a"], "input_shapes": ["1,2"], "output_arrays": ["x", "y:1"]}
    if quantized:
        recipe.update(inference_type = "QUANTIZED_UINT8", mean_values = [128], std_dev_values = [128])
    recipe.update(changes)
    tflite_model(name = name, graph = ":graph", tags = _MANUAL, **recipe)

# name: (attribute, value, its text, what is allowed)
_FRACTION = "give a number from 0 to 1"
_COUNT = "give a whole number of at least 1"
_GRAPHS = {
    "score_threshold_above_1": ("score_threshold", 1.5, "\"1.5\"", _FRACTION),
    "score_threshold_of_10": ("score_threshold", 10, "\"10\"", _FRACTION),
    "score_threshold_negative": ("score_threshold", -0.1, "\"-0.1\"", _FRACTION),
    "score_threshold_tiny_negative": ("score_threshold", -1e-08, "\"-1e-08\"", _FRACTION),
    "score_threshold_no_number": ("score_threshold", "low", "\"low\"", _FRACTION),
    "score_threshold_empty": ("score_threshold", "", "\"\"", _FRACTION),
    "score_threshold_huge": ("score_threshold", 1e30, "\"1e+30\"", _FRACTION),
    "iou_threshold_above_1": ("iou_threshold", 60, "\"60\"", _FRACTION),
    "iou_threshold_negative": ("iou_threshold", -1, "\"-1\"", _FRACTION),
    "max_detections_0": ("max_detections", 0, "0", _COUNT),
    "max_detections_negative": ("max_detections", -10, "-10", _COUNT),
    "max_classes_per_detection_0": ("max_classes_per_detection", 0, "0", _COUNT),
    "detections_per_class_0": ("detections_per_class", 0, "0", _COUNT),
}

_ACCEPTED_GRAPHS = {
    "score_threshold_1e_08": {"score_threshold": 1e-08},
    "score_threshold_3e_05": {"score_threshold": 3e-05},
    "score_threshold_1e_08_as_text": {"score_threshold": "1e-08"},
    "score_threshold_0": {"score_threshold": 0},
    "score_threshold_1": {"score_threshold": 1},
    "score_threshold_1_point_0": {"score_threshold": 1.0},
    "iou_threshold_0_point_45": {"iou_threshold": 0.45},
}

def _graph(name, changes):
    recipe = {"max_detections": 10, "score_threshold": 0.3, "use_regular_nms": True}
    recipe.update(changes)
    ssd_frozen_graph(
        name = name,
        checkpoint = ":checkpoint",
        pipeline_config = "model.config",
        tags = _MANUAL,
        **recipe
    )

_CHECKPOINTS = {
    "seed_negative": ("seed", -1, "-1", "give a whole number of at least 0"),
}

_ACCEPTED_CHECKPOINTS = {
    "seed_0": {"seed": 0},
}

def _checkpoint(name, changes):
    recipe = {"photographs": ":photographs", "seed": 7}
    recipe.update(changes)
    seeded_ssd_checkpoint(
        name = name,
        pipeline_config = "model.config",
        signature = "variables.tsv",
        tags = _MANUAL,
        **recipe
    )

def _not_allowed(attribute, given, allowed):
    return "{} = {} is not allowed: {}.".format(attribute, given, allowed)

def _refusal(target, *parts):
    # The label comes first, whatever a Bazel puts before its two slashes.
    return ["//{}:{}: {}".format(native.package_name(), target, parts[0])] + list(parts[1:])

def errors_test_suite(name):
    """Declares one test for each way in which a recipe can be wrong, and for values at the edge that are right.

    Args:
      name: the test suite's name.
    """
    refusals = {}
    accepted = []
    for quantized, recipes in [(False, _FLOAT_RECIPES), (True, _QUANTIZED_RECIPES)]:
        for case, (changes, attribute, given, allowed) in recipes.items():
            _model(case, changes, quantized)

            # The genrule that runs TOCO is refused as the model is, so it cannot run unchecked text.
            message = _not_allowed(attribute, given, allowed)
            refusals[case] = _refusal(case + ".recipe", message)
            refusals[case + ".raw"] = _refusal(case + ".recipe", message)
    for case, changes in _ACCEPTED_RECIPES.items():
        _model(case, changes, quantized = True)
        accepted.append(case)
    for case, (attribute, value, given, allowed) in _GRAPHS.items():
        _graph(case, {attribute: value})
        refusals[case] = _refusal(case, _not_allowed(attribute, given, allowed))
    for case, changes in _ACCEPTED_GRAPHS.items():
        _graph(case, changes)
        accepted.append(case)

    for case, (attribute, value, given, allowed) in _CHECKPOINTS.items():
        _checkpoint(case, {attribute: value})
        refusals[case] = _refusal(case, _not_allowed(attribute, given, allowed))
    for case, changes in _ACCEPTED_CHECKPOINTS.items():
        _checkpoint(case, changes)
        accepted.append(case)

    native.filegroup(name = "no_photographs")
    _checkpoint("photographs_empty", {"photographs": ":no_photographs"})
    refusals["photographs_empty"] = _refusal(
        "photographs_empty",
        "photographs = ",
        "//{}:no_photographs\" is not allowed: give a target with at least one file.".format(native.package_name()),
    )

    released_archive(
        name = "archive_without_digest",
        archive = "some_model_2020_05_19",
        tags = _MANUAL,
        url = "http://example.org/some_model_2020_05_19.tar.gz",
    )
    released_checkpoint(
        name = "released_without_digest",
        archive = ":archive_without_digest",
        member = "fp32/model.ckpt-1",
        tags = _MANUAL,
    )
    refusals["released_without_digest"] = _refusal(
        "released_without_digest",
        "no digest of some_model_2020_05_19 is published",
        "`bazel run //tools/checkpoints:pin -- some_model_2020_05_19`",
        "http://example.org/some_model_2020_05_19.tar.gz",
        "--//models:weights=seeded",
    )
    released_checkpoint(
        name = "released_without_the_member",
        archive = ":archive",
        member = "fp32/model.ckpt-2",
        tags = _MANUAL,
    )
    refusals["released_without_the_member"] = _refusal(
        "released_without_the_member",
        "member = \"fp32/model.ckpt-2\" is not in some_model_2020_05_19.",
    )

    for case, parts in refusals.items():
        _refusal_test(
            name = case + "_test",
            size = "small",
            parts = parts,
            target_under_test = ":" + case,
        )
    for case in accepted:
        _accepted_test(name = case + "_test", size = "small", target_under_test = ":" + case)
    native.test_suite(
        name = name,
        tests = [":{}_test".format(case) for case in refusals.keys() + accepted],
    )
