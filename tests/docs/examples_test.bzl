"""The examples of docs/rules.md are analyzed, and those for providers read what the public rules provide."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//tests/tools/tflite:actions.bzl", "written_test")

# What the examples that write a sheet write.
_SHEETS = {
    "archive.sheet": [
        "edsr_f32b5_qat: 3 files",
        "from https://example.org/edsr_f32b5_qat, sha256 " + "0" * 64,
    ],
    "conversion.sheet": [
        "mlir converts mobilenet.graph.pb",
        "flags in mobilenet_int8.recipe.flags, samples in pictures.npz",
        "at least 10 operators",
        "in integers but for SOFTMAX",
        "batch norms: exact",
        "for use",
    ],
    "edsr_published.sheet": [
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "weights: released",
        "preprocessing: identity",
    ],
    "flowers.sheet": [
        "flowers.pb: weights of flowers.h5",
        "arrays: not declared",
        "preprocessing: zero_to_one",
        "signature: flowers.signature.json",
    ],
    "integers.sheet": ["integers.quantization.json: a representative dataset is needed; integers"],
    "mobilenet.sheet": [
        "slim --image_size=128 --model_name=mobilenet_v1_025 --output_node_names=MobilenetV1/Predictions/Reshape_1",
        "arrays: input, MobilenetV1/Predictions/Reshape_1",
        "preprocessing: minus_one_to_one",
    ],
    "mobilenet_int8.sheet": [
        "mobilenet_int8.tflite of mobilenet_int8.raw.tflite",
        "from mobilenet.graph.pb, by mlir",
        "TensorFlow 2.15.1, CPython: hermetic",
        "preprocessing: minus_one_to_one",
        "seeded weights (synthetic, seed 1): not trained",
    ],
    "tensorflow.sheet": [
        "TensorFlow 2.15.1 (version 2.15.1) on a CPython: hermetic",
        "library: site_library",
        "TOCO: toco_2.15.1",
        "MLIR: mlir_2.15.1",
    ],
    "trained.sheet": [
        "2 files below docs/examples/trained/model.ckpt-9000",
        "released: released weights of example.org's training of May",
        "with quantization ranges",
    ],
}

def _made_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    asserts.equals(env, ctx.attr.files, sorted([file.basename for file in target[DefaultInfo].files.to_list()]))
    actions = analysistest.target_actions(env)
    inputs = [file.basename for action in actions for file in action.inputs.to_list()]
    asserts.equals(env, [], [name for name in ctx.attr.inputs if name not in inputs])
    return analysistest.end(env)

_made_test = analysistest.make(
    _made_test_impl,
    attrs = {
        "files": attr.string_list(doc = "The names of what it makes.", mandatory = True),
        "inputs": attr.string_list(doc = "The names of files among its inputs."),
    },
)

def examples_test_suite(name):
    """Declares the tests.

    Args:
      name: the test suite's name.
    """
    tests = []
    for examples, package in {
        "examples": "//docs/examples",
        "examples_of_published_files": "//docs/examples/published",
        "examples_of_toolchains": "//docs/examples/toolchains",
    }.items():
        # With this target, each example is analyzed.
        _made_test(
            name = examples + "_are_analyzed_test",
            size = "small",
            files = [],
            target_under_test = package + ":analyzed",
        )
        tests.append(examples + "_are_analyzed_test")
    for example, lines in _SHEETS.items():
        written_test(
            name = example + "_test",
            size = "small",
            file = example + ".txt",
            lines = lines,
            target_under_test = "//docs/examples:" + example,
        )
        tests.append(example + "_test")
    for example, expected in {
        "card": {"files": [
            "mobilenet_float.card.html",
            "mobilenet_float.card.json",
            "mobilenet_float.mlbom.json",
            "mobilenet_float.provenance.json",
        ]},
        "recorded.copy": {
            "files": ["recorded.copy.npz"],
            "inputs": ["recorded.npz"],
        },
    }.items():
        _made_test(
            name = example + "_test",
            size = "small",
            target_under_test = "//docs/examples:" + example,
            **expected
        )
        tests.append(example + "_test")
    native.test_suite(name = name, tests = tests)
