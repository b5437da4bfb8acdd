"""Every rule registers exactly the actions that its recipe asks for, with exactly their inputs and outputs.

Models' golden tests hold most arguments. Those that no model uses, or that change no byte, are held here.
"""

load(
    "//tools/tflite:defs.bzl",
    "architecture",
    "array_dataset",
    "frozen_graph",
    "photograph_dataset",
    "pipeline_config",
    "seeded_keras_model",
    "ssd_frozen_graph",
    "tflite_model",
    "token_dataset",
)

# The tests load private rules.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:seeded_checkpoint.bzl", "seeded_checkpoint")

# buildifier: disable=bzl-visibility
load("//tools/tflite/private:seeded_ssd_checkpoint.bzl", "seeded_ssd_checkpoint")
load(":actions.bzl", "action", "action_tests", "written_test")

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

_PHOTOGRAPHS = ["one.png", "two.png"]
_CHECKPOINT = ["model.ckpt.data-00000-of-00001", "model.ckpt.index"]
_PIPELINE_CONFIG = "tools/steps/export/pipeline_config"

_THRESHOLDS = """
model {
  ssd {
    post_processing {
      batch_non_max_suppression {
        score_threshold: 1e-08
        iou_threshold: 0.5
      }
    }
  }
}
"""

def _models():
    """Declares models; returns the tests of what they write at analysis."""
    for name, recipe in {
        "benchmark": {
            "benchmark_only": True,
            "default_ranges": [-1, 1],
            "graph": ":graph",
            "inference_type": "QUANTIZED_UINT8",
            "mean_values": [128],
            "std_dev_values": [128],
        },
        "float": {"graph": ":graph"},
        "folded": {"converter": "mlir", "fold_as": "intel, 2.3", "graph": ":graph", "keep_signature": False},
        "full_integer": {
            "converter": "mlir",
            "drifts": ["x", "y"],
            "graph": ":graph",
            "inference_input_type": "UINT8",
            "input_arrays": ["a", "b"],
            "input_shapes": ["1,2", "3"],
            "optimizations": ["DEFAULT"],
            "representative_dataset": ":dataset",
        },
        "identified": {"graph": ":graph_of_zero_to_one"},
        "quantized": {
            "allow_custom_ops": True,
            "change_concat_input_ranges": True,
            "graph": ":graph_with_ranges",
            "inference_type": "QUANTIZED_UINT8",
            "input_arrays": ["a", "b"],
            "input_shapes": ["1,2", "3"],
            "mean_values": [128, 127.5],
            "output_arrays": ["x", "x:1"],
            "std_dev_values": [128, 127],
        },
    }.items():
        common = {"input_arrays": ["a"], "input_shapes": ["1,2"], "output_arrays": ["x"]}
        tflite_model(name = name, tags = _MANUAL, **(common | recipe))

    written = {
        "folded.recipe": ("folded.recipe.flags", [
            "--input_arrays=a",
            "--input_shapes=1,2",
            "--output_arrays=x",
            "--supported_ops=TFLITE_BUILTINS",
            "--inference_input_type=FLOAT",
            "--inference_output_type=FLOAT",
            "--fold_as=intel, 2.3",
            "--keep_signature=false",
        ]),
        "full_integer.recipe": ("full_integer.recipe.flags", [
            "--input_arrays=a,b",
            "--input_shapes=1,2:3",
            "--output_arrays=x",
            "--optimizations=DEFAULT",
            "--supported_ops=TFLITE_BUILTINS",
            "--inference_input_type=UINT8",
            "--inference_output_type=FLOAT",
        ]),
        "identified": ("identified.identity.json", [json.encode({
            "interpreter": "hermetic",
            "name": "identified",
            "preprocessing": "zero_to_one",
            "tensorflow": "2.15.1",
            "weights": "seeded",
        })]),
        "quantized.recipe": ("quantized.recipe.flags", [
            "--input_arrays=a,b",
            "--input_shapes=1,2:3",
            "--output_arrays=x,x:1",
            "--inference_type=QUANTIZED_UINT8",
            "--mean_values=128,127.5",
            "--std_dev_values=128,127",
            "--allow_custom_ops",
            "--change_concat_input_ranges",
        ]),
    }
    for target, (file, lines) in written.items():
        written_test(
            name = file + "_test",
            size = "small",
            file = file,
            lines = lines,
            target_under_test = ":" + target,
        )
    return [":{}_test".format(file) for file, _ in written.values()]

def _ssd():
    pipeline_config(
        name = "merged",
        base = "model.config",
        override = "graph_rewriter { quantization { delay: 1 } }",
        tags = _MANUAL,
    )
    seeded_ssd_checkpoint(
        name = "seeded",
        fine_tune_checkpoint = ":checkpoint",
        photographs = ":photographs",
        pipeline_config = "model.config",
        seed = 7,
        signature = "variables.tsv",
        tags = _MANUAL,
    )
    ssd_frozen_graph(
        name = "exported",
        checkpoint = ":checkpoint",
        detections_per_class = 50,
        iou_threshold = 0.5,
        max_classes_per_detection = 2,
        max_detections = 10,
        pipeline_config = "model.config",
        score_threshold = 1e-08,
        tags = _MANUAL,
        use_regular_nms = False,
    )

def _family():
    photograph_dataset(
        name = "crops",
        count = 3,
        height = 20,
        input = "a",
        photographs = ":photographs",
        tags = _MANUAL,
        width = 30,
    )
    array_dataset(name = "arrays", count = 2, generator = ":graph_code", tags = _MANUAL)
    array_dataset(name = "array", src = "array.npy", input = "a", tags = _MANUAL)
    token_dataset(name = "tokens", count = 3, length = 100, seed = 5, tags = _MANUAL, vocabulary = 2000)
    architecture(
        name = "architecture",
        graph_code = ":graph_code",
        options = {"classes": "7", "size": "32"},
        preprocessing = "zero_to_one",
        tags = _MANUAL,
    )
    seeded_checkpoint(
        name = "seeded_ranges",
        architecture = ":architecture",
        photographs = ":photographs",
        quantization_aware = True,
        seed = 3,
        signature = "variables.tsv",
        tags = _MANUAL,
    )
    seeded_keras_model(
        name = "seeded_keras",
        architecture = ":architecture",
        photographs = ":photographs",
        seed = 5,
        signature = "variables.tsv",
        tags = _MANUAL,
    )
    frozen_graph(name = "frozen", architecture = ":architecture", checkpoint = ":seeded_ranges", tags = _MANUAL)

def _cases():
    variables = ["--signature", "OUT/variables.tsv"]
    build = json.encode({
        "benchmark_only": False,
        "converter": "toco",
        "interpreter": "hermetic",
        "preprocessing": "",
        "quantization_aware": True,
        "target": "//{}:quantized".format(native.package_name()),
        "tensorflow_version": "2.15.1",
        "weights": "seeded",
        "weights_description": "stub weights",
    })
    seed_inputs = _PHOTOGRAPHS + ["variables.tsv"]
    stub_checkpoint = ["checkpoint/" + file for file in _CHECKPOINT]
    seeded_ranges = ["seeded_ranges/" + file for file in _CHECKPOINT]
    return {
        "array": action(
            "array",
            "ArrayDataset",
            "tools/steps/dataset/array_dataset",
            ["array.npy"],
            ["array.npz"],
            ["--input", "a"],
        ),
        "arrays": action(
            "arrays",
            "ArrayDataset",
            "tools/steps/dataset/array_dataset",
            ["arrays.generated.npz"],
            ["arrays.npz"],
            ["--count", "2"],
        ),
        # Nothing is written before the converted model has passed its checks.
        "canonical": action(
            "float",
            "CanonicalTflite",
            "tools/steps/canonicalize/canonicalize_tflite",
            ["float.checked", "float.raw.tflite", "float.same_as_source"],
            ["float.tflite"],
        ),
        # Its made-up ranges make its results wrong.
        "canonical_benchmark": action(
            "benchmark",
            "CanonicalTflite",
            "tools/steps/canonicalize/canonicalize_tflite",
            ["benchmark.checked", "benchmark.raw.tflite"],
            ["benchmark.tflite"],
        ),
        "check": action(
            "quantized",
            "CheckTflite",
            "tools/steps/check/check_tflite",
            ["quantized.raw.tflite"],
            ["quantized.checked"],
            ["--minimum_operators", "10", "--quantized"],
        ),
        "check_after_static_quantization": action(
            "quantized_with_a_dataset",
            "CheckTflite",
            "tools/steps/check/check_tflite",
            ["quantized_with_a_dataset.raw.tflite"],
            ["quantized_with_a_dataset.checked"],
            ["--minimum_operators", "1", "--quantized", "--float_operators", "ADD"],
        ),
        "compare": action(
            "full_integer",
            "CompareWithSource",
            "tools/steps/equivalence/compare_with_source",
            ["dataset.npz", "full_integer.raw.tflite", "full_integer.recipe.flags", "graph.pb"],
            ["full_integer.same_as_source"],
            ["--drifts", "x,y"],
        ),
        "description": action(
            "folded",
            "CanonicalTflite",
            "tools/steps/canonicalize/canonicalize_tflite",
            ["folded.checked", "folded.raw.tflite", "folded.same_as_source"],
            ["folded.tflite"],
            [
                "--description",
                "stub weights; converted by the MLIR converter of TensorFlow 2.15.1; batch norms folded as on Intel by " +
                "TensorFlow about 2.3",
            ],
        ),
        "export": action("frozen", "ExportFrozenGraph", "graph_code", seeded_ranges, ["frozen.pb"]),
        "export_ssd": action(
            "exported",
            "ExportTfliteSsdGraph",
            "tools/steps/export/export_ssd",
            stub_checkpoint + ["exported.config"],
            ["exported.pb"],
            ["--max_classes_per_detection", "2", "--detections_per_class", "50", "--nouse_regular_nms"],
        ),
        "generate": action(
            "arrays",
            "GenerateArrays",
            "graph_code",
            [],
            ["arrays.generated.npz"],
            ["--output=OUT/arrays.generated.npz"],
        ),
        "merge": action("merged", "PipelineConfig", _PIPELINE_CONFIG, ["model.config"], ["merged.config"]),
        "mlir": action(
            "full_integer.raw",
            "MlirConvert",
            "tools/steps/convert/mlir_2.15.1",
            ["dataset.npz", "full_integer.recipe.flags", "graph.pb"],
            ["full_integer.raw.tflite"],
        ),
        "photographs": action(
            "crops",
            "ImageDataset",
            "tools/steps/dataset/image_dataset",
            _PHOTOGRAPHS,
            ["crops.npz"],
            ["--count", "3", "--height", "20", "--width", "30", "--resize", "crops"],
        ),
        "report": action(
            "quantized",
            "Report",
            "tools/steps/report/write_report",
            ["quantized.tflite"],
            ["quantized.report.json"],
            ["--build", build],
        ),
        "seed": action("seeded_ranges", "SeedCheckpoint", "graph_code", seed_inputs, seeded_ranges, variables),
        "seed_keras": action(
            "seeded_keras.file",
            "SeedKerasFile",
            "graph_code",
            seed_inputs,
            ["seeded_keras.file.h5"],
            ["--preprocessing", "zero_to_one", "--seed", "5"],
        ),
        "seed_ssd": action(
            "seeded",
            "SeedCheckpoint",
            "tools/steps/seed/seed_ssd",
            stub_checkpoint + seed_inputs + ["model.config"],
            ["seeded/" + file for file in _CHECKPOINT],
            variables,
        ),
        "thresholds": action(
            "exported",
            "PipelineConfig",
            _PIPELINE_CONFIG,
            ["model.config"],
            ["exported.config"],
            ["--override", _THRESHOLDS],
        ),
        "tokens": action("tokens", "TokenDataset", "tools/steps/dataset/token_dataset", [], ["tokens.npz"]),
    }

def actions_test_suite(name):
    """Declares one test for each kind of action.

    Args:
      name: the test suite's name.
    """
    _ssd()
    _family()
    written = _models()
    tests = action_tests({case + "_action_test": tested for case, tested in _cases().items()})
    native.test_suite(name = name, tests = tests + written)
