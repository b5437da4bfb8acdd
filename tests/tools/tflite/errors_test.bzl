"""A wrong attribute stops the analysis with the label, the attribute, its value and what is allowed."""

load(
    "//tools/tflite:defs.bzl",
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

_TOKENS = {
    "tokens_none": ("count", 0, "0", "give a whole number of at least 1"),
    "tokens_of_a_negative_seed": ("seed", -1, "-1", "give a whole number of at least 0"),
    "tokens_without_room": ("length", 62, "62", "give a whole number of at least 63"),
    "tokens_without_words": ("vocabulary", 999, "999", "give a whole number of at least 1000"),
}

_ACCEPTED_TOKENS = {
    "tokens_least": {"count": 1, "length": 63, "seed": 0, "vocabulary": 1000},
}

def _tokens(name, changes):
    recipe = {"length": 384, "seed": 7}
    recipe.update(changes)
    token_dataset(name = name, tags = _MANUAL, **recipe)

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
    accepted = []
    for case, (attribute, value, given, allowed) in _GRAPHS.items():
        _graph(case, {attribute: value})
        refusals[case] = refusal(case, not_allowed(attribute, given, allowed))
    for case, changes in _ACCEPTED_GRAPHS.items():
        _graph(case, changes)
        accepted.append(case)

    for case, (attribute, value, given, allowed) in _CHECKPOINTS.items():
        _checkpoint(case, {attribute: value})
        refusals[case] = refusal(case, not_allowed(attribute, given, allowed))
    for case, changes in _ACCEPTED_CHECKPOINTS.items():
        _checkpoint(case, changes)
        accepted.append(case)

    for case, (attribute, value, given, allowed) in _TOKENS.items():
        _tokens(case, {attribute: value})
        refusals[case] = refusal(case, not_allowed(attribute, given, allowed))
    for case, changes in _ACCEPTED_TOKENS.items():
        _tokens(case, changes)
        accepted.append(case)

    native.filegroup(name = "no_photographs")
    _checkpoint("photographs_empty", {"photographs": ":no_photographs"})
    refusals["photographs_empty"] = refusal(
        "photographs_empty",
        "photographs = ",
        "//{}:no_photographs\" is not allowed: give a target with at least one file.".format(native.package_name()),
    )

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
    refusal_tests(name, refusals, accepted)
