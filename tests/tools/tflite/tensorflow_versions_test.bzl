"""The report on several TensorFlows: its conversions, and the versions that it accepts."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")

# The tests load private rules.
# buildifier: disable=bzl-visibility
load("//third_party/python:interpreter.bzl", "python_interpreter")
load("//tools/tensorflow:toolchain.bzl", "TensorflowToolchainInfo", "tensorflow_toolchain")
load("//tools/tflite:defs.bzl", "tensorflow_versions", "tflite_model")
load(":actions.bzl", "action", "action_tests")
load(":refusals.bzl", "not_allowed", "refusal", "refusal_tests")

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

_VERSIONS = ["2.15.1", "2.17.1"]
_ALLOWED = "give two or more of 1.15.5, 2.15.1, 2.17.1, 2.21.0, each once"

def _toolchain_test_impl(ctx):
    env = analysistest.begin(ctx)
    tensorflow = analysistest.target_under_test(env)[platform_common.ToolchainInfo].tensorflow_info
    asserts.equals(env, "1.0", tensorflow.version)
    asserts.equals(env, ctx.attr.title, tensorflow.title)
    asserts.equals(env, ctx.attr.interpreter, tensorflow.interpreter)
    return analysistest.end(env)

_toolchain_test = analysistest.make(_toolchain_test_impl, attrs = {
    "interpreter": attr.string(doc = "TensorflowToolchainInfo.interpreter.", mandatory = True),
    "title": attr.string(doc = "TensorflowToolchainInfo.title.", mandatory = True),
})

def _without_mlir_test_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.expect_failure(env, "converter = \"mlir\" is not allowed under TensorFlow 1.0: it has only TOCO")
    return analysistest.end(env)

_without_mlir_test = analysistest.make(
    _without_mlir_test_impl,
    config_settings = {"//command_line_option:extra_toolchains": "//tests/tools/tflite:toolchain_without_mlir"},
    expect_failure = True,
)

_UNDER_2_21 = {str(Label("//tools/tensorflow:version")): "2.21.0"}

def _without_toco_test_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.expect_failure(env, "converter = \"toco\" is not allowed under TensorFlow 2.21.0: it has only the MLIR converter")
    return analysistest.end(env)

_without_toco_test = analysistest.make(
    _without_toco_test_impl,
    config_settings = _UNDER_2_21,
    expect_failure = True,
)

def _resolved_without_toco_test_impl(ctx):
    env = analysistest.begin(ctx)
    tensorflow = analysistest.target_under_test(env)[TensorflowToolchainInfo]
    asserts.equals(env, "TensorFlow 2.21.0", tensorflow.title)
    asserts.equals(env, None, tensorflow.toco)
    asserts.equals(env, "mlir_2.21.0", tensorflow.mlir.label.name)
    return analysistest.end(env)

_resolved_without_toco_test = analysistest.make(_resolved_without_toco_test_impl, config_settings = _UNDER_2_21)

def _toolchains():
    """Declares toolchains that name a CPython, and returns their tests."""
    python_interpreter(name = "pinned_python", tags = _MANUAL, version = "3.7.9")
    python_interpreter(name = "local_python", local_sha256 = "0123abcd", tags = _MANUAL, version = "3.7.16")
    tests = []
    for interpreter, title, origin in [
        ("pinned_python", "TensorFlow 1.0", "hermetic"),
        ("local_python", "TensorFlow 1.0 on a local CPython 3.7.16", "local: 3.7.16 sha256 0123abcd"),
    ]:
        tensorflow_toolchain(
            name = "tensorflow_on_" + interpreter,
            interpreter = ":" + interpreter,
            tags = _MANUAL,
            tensorflow = "//tools/tensorflow:graph_tensorflow",
            toco = ":graph_code",
            version = "1.0",
        )
        _toolchain_test(
            name = interpreter + "_test",
            size = "small",
            interpreter = origin,
            target_under_test = ":tensorflow_on_" + interpreter,
            title = title,
        )
        tests.append(interpreter + "_test")
    native.toolchain(
        name = "toolchain_without_mlir",
        toolchain = ":tensorflow_on_pinned_python",
        toolchain_type = "//tools/tensorflow:toolchain_type",
    )
    for target in ["mlir_model.raw", "mlir_program"]:
        label = ":" + target if target == "mlir_model.raw" else "//tools/tensorflow:mlir"
        _without_mlir_test(name = target + "_without_mlir_test", size = "small", target_under_test = label)
        tests.append(target + "_without_mlir_test")

    # Through a genrule, an analysis test sees no failure, so this is not of a model.
    _without_toco_test(
        name = "toco_program_without_toco_test",
        size = "small",
        target_under_test = "//tools/tensorflow:toco",
    )
    _resolved_without_toco_test(
        name = "resolved_without_toco_test",
        size = "small",
        target_under_test = "//tools/tensorflow:resolved_toolchain",
    )
    return tests + ["toco_program_without_toco_test", "resolved_without_toco_test"]

def tensorflow_versions_test_suite(name):
    """Declares the tests.

    Args:
      name: the test suite's name.
    """
    for converter in ["mlir", "toco"]:
        tflite_model(
            name = converter + "_model",
            converter = converter,
            graph = ":graph_of_minus_one_to_one" if converter == "toco" else ":graph",
            input_arrays = ["a"],
            input_shapes = ["1,2"],
            optimizations = ["DEFAULT"] if converter == "mlir" else [],
            output_arrays = ["x"],
            representative_dataset = ":dataset" if converter == "mlir" else None,
            tags = _MANUAL,
        )
        tensorflow_versions(
            name = converter + "_versions",
            models = [":{}_model".format(converter)],
            tags = _MANUAL,
            versions = _VERSIONS,
        )

    # 2.15.1 has converted the model already; its file is compared. //tests/tools/steps/versions:tensorflow_2_test
    # runs such actions.
    tests = action_tests({
        "convert_again_with_mlir_test": action(
            "mlir_versions",
            "MlirConvert",
            "tools/steps/convert/mlir_2.17.1",
            ["dataset.npz", "graph.pb", "mlir_model.recipe.flags"],
            ["mlir_versions/2.17.1/mlir_model.raw.tflite"],
            ["--representative_dataset", "OUT/dataset.npz"],
        ),
        "compare_versions_test": action(
            "toco_versions",
            "CompareVersions",
            "tools/steps/versions/compare_versions",
            ["toco_model.tflite", "toco_versions/2.17.1/toco_model.tflite"],
            ["toco_versions/toco_model.json"],
        ),
    })

    refusals = {}
    for case, versions, given in [
        ("one_version", ["2.15.1"], "[\"2.15.1\"]"),
        ("no_version", [], "[]"),
        ("a_version_twice", ["2.15.1", "2.15.1"], "[\"2.15.1\", \"2.15.1\"]"),
        ("a_version_that_is_not_pinned", ["2.15.1", "2.16.2"], "[\"2.15.1\", \"2.16.2\"]"),
    ]:
        tensorflow_versions(name = case, models = [":toco_model"], tags = _MANUAL, versions = versions)
        refusals[case] = refusal(case, not_allowed("versions", given, _ALLOWED))
    refusal_tests(name = name + ".refusals", accepted = [], refusals = refusals)

    native.test_suite(name = name, tests = tests + _toolchains() + [name + ".refusals"])
