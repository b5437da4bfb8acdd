"""Sources that a label names: what they refuse, what they run, and what they say of their weights."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load(
    "//tools/tflite:defs.bzl",
    "FrozenGraphInfo",
    "TfliteInfo",
    "frozen_graph_file",
    "keras_model",
    "onnx_model",
    "saved_model",
    "tflite_model",
)
load(":actions.bzl", "action", "action_tests", "written_test")
load(":refusals.bzl", "not_allowed", "refusal", "refusal_tests")

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

_SAVED = [
    "folder/saved_model.pb",
    "folder/variables/variables.data-00000-of-00001",
    "folder/variables/variables.index",
]

_FILES = "give the files of one SavedModel, glob([\"FOLDER/**\"]), or a folder that a rule makes"

def _weights_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    graph = target[TfliteInfo].graph if TfliteInfo in target else target[FrozenGraphInfo]
    asserts.equals(env, ctx.attr.weights, graph.checkpoint.weights)
    asserts.equals(env, ctx.attr.description, graph.checkpoint.description)
    asserts.equals(env, ctx.attr.quantization_aware, graph.checkpoint.quantization_aware)
    asserts.equals(env, ctx.attr.signature, graph.signature.basename)
    return analysistest.end(env)

_weights_test = analysistest.make(
    _weights_test_impl,
    attrs = {
        "description": attr.string(doc = "See CheckpointInfo.", mandatory = True),
        "quantization_aware": attr.bool(doc = "See CheckpointInfo."),
        "signature": attr.string(doc = "The name of the signature file.", mandatory = True),
        "weights": attr.string(doc = "See CheckpointInfo.", mandatory = True),
    },
)

def _declare():
    """Declares the targets under test."""
    saved_model(name = "saved", srcs = _SAVED, signature = "both", tags = _MANUAL)
    saved_model(name = "saved_in_one_folder", srcs = ["one.png"], tags = _MANUAL)
    saved_model(name = "saved_nowhere", srcs = ["one.png", "two.png"], tags = _MANUAL)
    saved_model(name = "saved_in_a_source_folder", srcs = ["stubs.bzl"], tags = _MANUAL)
    saved_model(
        name = "saved_in_part",
        srcs = ["mixed/saved_model.pb", "folder/variables/variables.index"],
        tags = _MANUAL,
    )
    saved_model(
        name = "saved_twice",
        srcs = ["archive/saved/saved_model.pb", "folder/saved_model.pb"],
        tags = _MANUAL,
    )
    for name, file, keras in [
        ("keras_h5", "model.h5", None),
        ("keras_zip", "model.keras", None),
        ("keras_zip_of_2", "model.keras", "2"),
        ("keras_4", "model.keras", "4"),
    ]:
        keras_model(
            name = name,
            src = file,
            keras = keras,
            quantization_aware = name == "keras_zip_of_2",
            released_as = "widget 1.2" if name == "keras_zip" else "",
            tags = _MANUAL,
        )
    keras_model(name = "keras_in_an_archive", src = ":published_model", tags = _MANUAL)
    saved_model(name = "saved_in_an_archive", srcs = [":folder"], tags = _MANUAL)
    frozen_graph_file(
        name = "frozen_file",
        src = "archive/frozen_inference_graph.pb",
        input_arrays = ["a", "b:1"],
        tags = _MANUAL,
    )
    frozen_graph_file(
        name = "frozen_file_of_several",
        src = "archive/frozen_inference_graph.pb",
        output_arrays = ["a,b"],
        tags = _MANUAL,
    )
    onnx_model(name = "onnx", src = "model.onnx", tags = _MANUAL)
    onnx_model(
        name = "onnx_in_two_files",
        src = "model.onnx",
        data = ["model.onnx.data"],
        input_shapes = ["1,3,8,8", "1,4"],
        keep_shapes = True,
        tags = _MANUAL,
    )
    onnx_model(name = "onnx_of_open_shape", src = "model.onnx", input_shapes = ["1,?"], tags = _MANUAL)
    for name, recipe in {
        "arrays_from_the_source": {},
        "quantized_from_the_source": {
            "graph": ":keras_zip_of_2",
            "inference_type": "QUANTIZED_UINT8",
            "mean_values": [128],
            "std_dev_values": [128],
        },
        "quantized_without_statistics": {"graph": ":keras_zip_of_2", "inference_type": "QUANTIZED_UINT8"},
        "shapes_without_arrays": {"input_shapes": ["1,2"]},
        "shapes_wrong": {"input_arrays": ["a"], "input_shapes": ["1,2", "3"]},
        "some_outputs": {"output_arrays": ["y"]},
    }.items():
        tflite_model(name = name, tags = _MANUAL, **({"graph": ":keras_h5"} | recipe))

def sources_test_suite(name):
    """Declares the tests.

    Args:
      name: the test suite's name.
    """
    _declare()
    package = "//{}:".format(native.package_name())
    refusal_tests(
        name + ".refusals",
        {
            case: refusal(case + suffix, not_allowed(attribute, given, allowed))
            for case, suffix, attribute, given, allowed in [
                ("frozen_file_of_several", "", "output_arrays", "[\"a,b\"]", "give every name as a separate item"),
                ("keras_4", "", "keras", "\"4\"", "give one of 2, 3"),
                (
                    "onnx_of_open_shape",
                    "",
                    "input_shapes",
                    "[\"1,?\"]",
                    "give one shape like \"1,3,320,320\" for each input",
                ),
                (
                    "quantized_without_statistics",
                    ".recipe",
                    "mean_values",
                    "[]",
                    "give one number for each of input_arrays",
                ),
                (
                    "saved_in_a_source_folder",
                    "",
                    "srcs",
                    repr([package + "stubs.bzl"]),
                    "there is no saved_model.pb in it; " + _FILES,
                ),
                (
                    "saved_in_part",
                    "",
                    "srcs",
                    repr([package + "mixed/saved_model.pb", package + "folder/variables/variables.index"]),
                    "{0}/mixed/saved_model.pb and {0}/folder/variables/variables.index lie in different folders, ".format(
                        native.package_name(),
                    ) + "since rules make files outside of the source tree; let one rule copy all files of the SavedModel into one folder",
                ),
                (
                    "saved_nowhere",
                    "",
                    "srcs",
                    repr([package + "one.png", package + "two.png"]),
                    "there is no saved_model.pb in it; " + _FILES,
                ),
                (
                    "saved_twice",
                    "",
                    "srcs",
                    repr([package + "archive/saved/saved_model.pb", package + "folder/saved_model.pb"]),
                    "there are 2 of saved_model.pb in it; " + _FILES,
                ),
                (
                    "shapes_wrong",
                    ".recipe",
                    "input_shapes",
                    "[\"1,2\", \"3\"]",
                    "give one shape like \"1,320,320,3\" for each of input_arrays",
                ),
            ]
        },
        ["quantized_from_the_source", "saved_in_one_folder", "shapes_without_arrays", "some_outputs"],
    )
    tests = action_tests({
        "{}_freeze_test".format(case): action(
            case,
            "FreezeGraph",
            "tools/steps/freeze/" + program,
            inputs,
            [case + ".pb", case + ".signature.json"],
            flags,
        )
        for case, program, inputs, flags in [
            (
                "frozen_file",
                "freeze_graph",
                ["archive/frozen_inference_graph.pb"],
                ["--input_arrays=a,b:1", "--output_arrays=", "--output"],
            ),
            ("keras_h5", "freeze_keras_2", ["model.h5"], ["--source", "OUT/model.h5", "--output"]),
            ("keras_zip", "freeze_keras_3", ["model.keras"], ["--source", "OUT/model.keras", "--output"]),
            ("keras_zip_of_2", "freeze_keras_2", ["model.keras"], ["--quantization_aware", "--output"]),
            ("onnx", "freeze_onnx", ["model.onnx"], ["--source", "OUT/model.onnx", "--output"]),
            (
                "onnx_in_two_files",
                "freeze_onnx",
                ["model.onnx", "model.onnx.data"],
                ["--data=OUT/model.onnx.data", "--input_shapes=1,3,8,8:1,4", "--keep_shapes", "--output"],
            ),
            (
                "saved",
                "freeze_saved_model",
                _SAVED,
                ["--source", "OUT/folder", "--tags=serve", "--signature=both", "--output"],
            ),
        ]
    })
    for case, weights, description in [
        ("keras_h5", "own", "weights of model.h5"),
        ("keras_zip", "released", "released weights of widget 1.2"),
        ("keras_zip_of_2", "own", "weights of model.keras"),
        ("onnx_in_two_files", "own", "weights of model.onnx"),
        ("saved", "own", "weights of folder"),
        ("keras_in_an_archive", "released", "released weights: some_model (sha256 45)"),
        ("seeded_keras", "seeded", "seeded weights (synthetic, seed 5): not trained"),
        ("saved_in_an_archive", "released", "released weights: some_folder (sha256 01 of saved_model.pb, 23 of variables/variables.index)"),
        ("frozen_file", "own", "weights of frozen_inference_graph.pb"),
    ]:
        _weights_test(
            name = case + "_weights_test",
            size = "small",
            description = description,
            quantization_aware = case == "keras_zip_of_2",
            signature = case + ".signature.json",
            target_under_test = ":" + case,
            weights = weights,
        )
        tests.append(":{}_weights_test".format(case))
    written_test(
        name = "arrays_from_the_source_flags_test",
        size = "small",
        file = "arrays_from_the_source.recipe.flags",
        lines = ["--inference_type=FLOAT"],
        target_under_test = ":arrays_from_the_source.recipe",
    )
    native.test_suite(
        name = name,
        tests = tests + [":arrays_from_the_source_flags_test", ":{}.refusals".format(name)],
    )
