"""Metadata for apps, and where a model runs."""

load("//tools/tflite:defs.bzl", "ethos_u_report", "quantized_model", "tflite_file", "tflite_model")
load(":actions.bzl", "action", "action_tests")
load(":refusals.bzl", "not_allowed", "refusal", "refusal_tests")

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

def metadata_test_suite(name):
    """Declares the tests.

    Args:
      name: the test suite's name.
    """
    model = dict(
        graph = ":graph_of_minus_one_to_one",
        input_arrays = ["a"],
        input_shapes = ["1,2"],
        output_arrays = ["x"],
        tags = _MANUAL,
    )
    tflite_model(
        name = "described",
        about = "It is a test.",
        labels = "stubs.bzl",
        metadata = True,
        score_threshold = "0.25",
        task = "classification",
        **model
    )
    tflite_file(name = "described_file", src = "foreign.tflite", metadata = True, tags = _MANUAL)
    quantized_model(
        name = "described_quantized",
        labels = "stubs.bzl",
        metadata = True,
        model = ":described",
        recipe = ":good_dynamic",
        tags = _MANUAL,
        task = "classification",
    )
    ethos_u_report(name = "larger", accelerator = "ethos-u85-256", model = ":described_file", tags = _MANUAL)
    tests = action_tests({
        "metadata_of_a_model_test": action(
            "described",
            "AppMetadata",
            "tools/steps/metadata/write_metadata",
            ["described.without_metadata.tflite", "stubs.bzl"],
            ["described.tflite"],
            ["--name", "described", "--about", "It is a test.", "--task", "classification", "--preprocessing", "minus_one_to_one"],
        ),
        "metadata_of_a_file_test": action(
            "described_file",
            "AppMetadata",
            "tools/steps/metadata/write_metadata",
            ["described_file.without_metadata.tflite"],
            ["described_file.tflite"],
            ["--task", "other", "--preprocessing", ""],
        ),
        "metadata_of_a_quantized_model_test": action(
            "described_quantized",
            "AppMetadata",
            "tools/steps/metadata/write_metadata",
            ["described_quantized.without_metadata.tflite", "stubs.bzl"],
            ["described_quantized.tflite"],
            ["--task", "classification", "--preprocessing", "minus_one_to_one"],
        ),
        "canonical_before_metadata_test": action(
            "described_file",
            "CanonicalTflite",
            "tools/steps/canonicalize/canonicalize_tflite",
            ["foreign.tflite"],
            ["described_file.without_metadata.tflite"],
        ),
        "compatibility_test": action(
            "described.compatibility",
            "Compatibility",
            "tools/steps/compatibility/write_compatibility",
            ["described.tflite"],
            ["described.compatibility.json"],
        ),
        "ethos_u_test": action(
            "larger",
            "Vela",
            "tools/steps/ethos_u/write_ethos_u",
            ["described_file.tflite"],
            ["larger.json"],
            ["--accelerator=ethos-u85-256"],
        ),
    })

    # Each with the attribute, its value as text and what to do.
    together = "give it together with metadata = True, which it is a part of"
    wrong = {
        "labels_alone": (dict(labels = "stubs.bzl"), "labels", "\"//{}:stubs.bzl\"".format(native.package_name()), together),
        "threshold_alone": (dict(score_threshold = "0.5"), "score_threshold", "\"0.5\"", together),
        "labels_of_sound": (
            dict(labels = "stubs.bzl", metadata = True, task = "music transcription"),
            "labels",
            "\"//{}:stubs.bzl\"".format(native.package_name()),
            "leave it out, or give a task that has it: classification, object detection, segmentation",
        ),
        "threshold_of_a_segmenter": (
            dict(metadata = True, score_threshold = "0.5", task = "segmentation"),
            "score_threshold",
            "\"0.5\"",
            "leave it out, or give a task that has it: classification, object detection",
        ),
    } | {
        "threshold_" + str(number): (
            dict(metadata = True, score_threshold = given, task = "classification"),
            "score_threshold",
            "\"{}\"".format(given),
            "give a number from 0 to 1, such as \"0.3\"",
        )
        for number, given in enumerate(["1.5", "-0.5", "high", ".", "0.1.2"])
    }
    for target, (attributes, _, _, _) in wrong.items():
        tflite_model(name = target, **(model | attributes))
    refusal_tests(
        name = name + "_refusals",
        accepted = ["described"],
        refusals = {
            target: refusal(target, not_allowed(attribute, given, allowed))
            for target, (_, attribute, given, allowed) in wrong.items()
        },
    )
    native.test_suite(name = name, tests = tests + [name + "_refusals"])
