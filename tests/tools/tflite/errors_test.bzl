"""A wrong attribute stops the analysis with the label, the attribute, its value and what is allowed."""

load(
    "//tools/tflite:defs.bzl",
    "array_dataset",
    "image_dataset",
    "released_checkpoint",
    "released_frozen_graph",
    "released_saved_model",
    "ssd_frozen_graph",
    "token_dataset",
)

# The tests load private rules.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:released_archive.bzl", "released_archive")

# buildifier: disable=bzl-visibility
load("//tools/tflite/private:seeded_ssd_checkpoint.bzl", "seeded_ssd_checkpoint")

# buildifier: disable=bzl-visibility
load("//tools/tflite/private:unpublished_checkpoint.bzl", "unpublished_checkpoint")
load(":refusals.bzl", "not_allowed", "refusal", "refusal_tests")

# Only their tests analyze the targets under test, since most cannot be analyzed.
_MANUAL = ["manual"]

def _graph(name, changes):
    recipe = {"max_detections": 10, "score_threshold": 0.3, "use_regular_nms": True} | changes
    ssd_frozen_graph(
        name = name,
        checkpoint = ":checkpoint",
        pipeline_config = "model.config",
        tags = _MANUAL,
        **recipe
    )

def _checkpoint(name, changes):
    seeded_ssd_checkpoint(
        name = name,
        pipeline_config = "model.config",
        signature = "variables.tsv",
        tags = _MANUAL,
        **({"photographs": ":photographs", "seed": 7} | changes)
    )

def _tokens(name, changes):
    token_dataset(name = name, tags = _MANUAL, **({"length": 384, "seed": 7} | changes))

def _images(name, changes):
    dataset = {"height": 20, "input": "a", "srcs": [":photographs"], "width": 30} | changes
    image_dataset(name = name, tags = _MANUAL, **dataset)

def _arrays(name, changes):
    array_dataset(name = name, tags = _MANUAL, **changes)

_FRACTION = "give a number from 0 to 1"
_AT_LEAST = "give a whole number of at least {}"

# (what declares a target, an attribute, what is allowed, values that are not by the names of their cases)
_VALUES = [
    (_graph, "score_threshold", _FRACTION, {
        "score_threshold_above_1": "1.5",
        "score_threshold_empty": "",
        "score_threshold_huge": str(1e30),
        "score_threshold_negative": "-0.1",
        "score_threshold_no_number": "low",
        "score_threshold_of_10": "10",
        "score_threshold_tiny_negative": str(-1e-08),
    }),
    (_graph, "iou_threshold", _FRACTION, {"iou_threshold_above_1": "60", "iou_threshold_negative": "-1"}),
    (_graph, "max_detections", _AT_LEAST.format(1), {"max_detections_0": 0, "max_detections_negative": -10}),
    (_graph, "max_classes_per_detection", _AT_LEAST.format(1), {"max_classes_per_detection_0": 0}),
    (_graph, "detections_per_class", _AT_LEAST.format(1), {"detections_per_class_0": 0}),
    (_checkpoint, "seed", _AT_LEAST.format(0), {"seed_negative": -1}),
    (_images, "count", _AT_LEAST.format(0), {"images_negative": -1}),
    (_images, "height", _AT_LEAST.format(1), {"images_without_height": 0}),
    (_images, "width", _AT_LEAST.format(1), {"images_without_width": 0}),
    (_arrays, "count", _AT_LEAST.format(0), {"arrays_negative": -1}),
    (_tokens, "count", _AT_LEAST.format(1), {"tokens_none": 0}),
    (_tokens, "length", _AT_LEAST.format(63), {"tokens_without_room": 62}),
    (_tokens, "seed", _AT_LEAST.format(0), {"tokens_of_a_negative_seed": -1}),
    (_tokens, "vocabulary", _AT_LEAST.format(1000), {"tokens_without_words": 999}),
]

_NPY_NAMES_NONE = "an .npy does not name its array; give the name of the model's input"
_NPZ_NAMES_ALL = "an .npz names its arrays; give none"

# name: (attributes of an `array_dataset`, the message; PACKAGE stands for the label of this package)
_ARRAYS = {
    "arrays_from_nowhere": ({}, "src = None is not allowed: give either src or generator."),
    "arrays_from_two_places": (
        {"generator": ":graph_code", "src": "own.npz"},
        "src = \"PACKAGE:own.npz\" is not allowed: give either src or generator.",
    ),
    "arrays_generated_for_an_input": (
        {"generator": ":graph_code", "input": "a"},
        not_allowed("input", "\"a\"", _NPZ_NAMES_ALL),
    ),
    "npy_without_input": ({"src": "array.npy"}, not_allowed("input", "\"\"", _NPY_NAMES_NONE)),
    "npy_with_array": (
        {"array": "x", "input": "a", "src": "array.npy"},
        not_allowed("array", "\"x\"", "an .npy has only one; give none"),
    ),
    "npz_array_without_input": (
        {"array": "x", "src": "own.npz"},
        not_allowed("input", "\"\"", "give the name of the model's input that takes the array"),
    ),
    "npz_with_input": ({"input": "a", "src": "own.npz"}, not_allowed("input", "\"a\"", _NPZ_NAMES_ALL)),
}

_ACCEPTED = {
    "arrays_from_a_generator": (_arrays, {"generator": ":graph_code"}),
    "images_least": (_images, {"count": 0, "height": 1, "width": 1}),
    "iou_threshold_0_point_45": (_graph, {"iou_threshold": 0.45}),
    "score_threshold_0": (_graph, {"score_threshold": 0}),
    "score_threshold_1": (_graph, {"score_threshold": 1}),
    "score_threshold_1_point_0": (_graph, {"score_threshold": 1.0}),
    "score_threshold_1e_08": (_graph, {"score_threshold": 1e-08}),
    "score_threshold_1e_08_as_text": (_graph, {"score_threshold": "1e-08"}),
    "score_threshold_3e_05": (_graph, {"score_threshold": 3e-05}),
    "seed_0": (_checkpoint, {"seed": 0}),
    "tokens_least": (_tokens, {"count": 1, "length": 63, "seed": 0, "vocabulary": 1000}),
}

_PREPROCESSED = {"preprocessing": "identity"}

# kind: (the rule, its attributes besides archive and member)
_RELEASED_RULES = {
    "checkpoint": (released_checkpoint, {}),
    "frozen_graph": (released_frozen_graph, _PREPROCESSED),
    "saved_model": (released_saved_model, _PREPROCESSED),
}

# kind: {a member that the archive does not have exactly once: the message about it}
_RELEASED_MEMBERS = {
    "checkpoint": {
        "fp32/model.ckpt-2": "is not in some_model_2020_05_19",
        "p32/model.ckpt-1": "is not in some_model_2020_05_19",
        "uint8/model.ckpt-1": "has no .data in some_model_2020_05_19",
        "model.ckpt-1": "is in some_model_2020_05_19 2 times; give more of its path",
    },
    "frozen_graph": {
        "frozen_graph.pb": "is not in some_model_2020_05_19",
        "tflite_graph.pb": "is in some_model_2020_05_19 2 times; give more of its path",
    },
    "saved_model": {
        "": "is in some_model_2020_05_19 2 times; give more of its path",
        "empty": "has no variables/variables.index and .data in some_model_2020_05_19",
        "fp32": "has no saved_model.pb in some_model_2020_05_19",
    },
}

def errors_test_suite(name):
    """Declares a test for each wrong attribute, and for valid values at the limits.

    Args:
      name: the test suite's name.
    """
    refusals = {}
    for declare, attribute, allowed, values in _VALUES:
        for case, value in values.items():
            declare(case, {attribute: value})
            refusals[case] = refusal(case, not_allowed(attribute, repr(value), allowed))
    for case, (declare, changes) in _ACCEPTED.items():
        declare(case, changes)

    native.filegroup(name = "no_photographs")
    _checkpoint("photographs_empty", {"photographs": ":no_photographs"})
    refusals["photographs_empty"] = refusal(
        "photographs_empty",
        "photographs = ",
        "//{}:no_photographs\" is not allowed: give a target with at least one file.".format(native.package_name()),
    )

    _images("images_empty", {"srcs": [":no_photographs"]})
    refusals["images_empty"] = refusal(
        "images_empty",
        "srcs = [\"//{}:no_photographs\"] is not allowed: give a target with at least one file.".format(
            native.package_name(),
        ),
    )
    for case, (attributes, message) in _ARRAYS.items():
        _arrays(case, attributes)
        refusals[case] = refusal(case, message.replace("PACKAGE", "//" + native.package_name()))

    released_archive(
        name = "archive_without_digest",
        archive = "some_model_2020_05_19",
        tags = _MANUAL,
        urls = ["http://example.org/a.index", "http://example.org/a.data"],
    )
    for kind, (released_rule, attributes) in _RELEASED_RULES.items():
        case = "released_{}_without_digest".format(kind)
        released_rule(name = case, archive = ":archive_without_digest", member = "fp32", tags = _MANUAL, **attributes)
        refusals[case] = refusal(
            case,
            "no digest of some_model_2020_05_19 is published",
            "`bazel run //tools/checkpoints:pin -- some_model_2020_05_19`",
            "from http://example.org/a.index and http://example.org/a.data,",
            "--//models:weights=seeded",
        )
        for number, (member, message) in enumerate(_RELEASED_MEMBERS[kind].items()):
            case = "released_{}_{}".format(kind, number)
            released_rule(name = case, archive = ":archive", member = member, tags = _MANUAL, **attributes)
            refusals[case] = refusal(case, "member = {} {}.".format(repr(member), message))

    unpublished_checkpoint(name = "unpublished", tags = _MANUAL)
    refusals["unpublished"] = refusal(
        "unpublished",
        "no checkpoint of this model is published; build it with --//models:weights=seeded.",
    )
    refusal_tests(name, refusals, _ACCEPTED.keys())
