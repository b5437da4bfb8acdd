"""Every rule registers exactly the actions that its recipe asks for, with exactly their inputs and outputs.

Models' golden tests hold most arguments. Those that no model uses, or that change no byte, are held here.
"""

load(
    "//tools/tflite:defs.bzl",
    "pipeline_config",
    "ssd_frozen_graph",
    "tflite_model",
)

# The tests load private rules.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:seeded_ssd_checkpoint.bzl", "seeded_ssd_checkpoint")
load(":actions.bzl", "rule_action_test", "toco_test", "written_test")

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

def actions_test_suite(name):
    """Declares one test for each kind of action.

    Args:
      name: the test suite's name.
    """
    package = native.package_name() + "/"
    output = "BIN/" + package

    pipeline_config(
        name = "merged",
        base = "model.config",
        override = "graph_rewriter { quantization { delay: 1 } }",
        tags = _MANUAL,
    )
    rule_action_test(
        name = "pipeline_config_action_test",
        size = "small",
        inputs = [package + "model.config"],
        mnemonic = "PipelineConfig",
        outputs = [output + "merged.config"],
        target_under_test = ":merged",
        tool = "tools/steps/export/pipeline_config",
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
    rule_action_test(
        name = "seed_checkpoint_action_test",
        size = "small",
        flags = ["--signature", output + "variables.tsv"],
        inputs = [package + file for file in [
            "checkpoint/model.ckpt.data-00000-of-00001",
            "checkpoint/model.ckpt.index",
            "model.config",
            "one.png",
            "two.png",
            "variables.tsv",
        ]],
        mnemonic = "SeedCheckpoint",
        outputs = [
            output + "seeded/model.ckpt.data-00000-of-00001",
            output + "seeded/model.ckpt.index",
        ],
        target_under_test = ":seeded",
        tool = "tools/steps/seed/seed_ssd",
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
    rule_action_test(
        name = "thresholds_action_test",
        size = "small",
        flags = ["--override", """
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
"""],
        inputs = [package + "model.config"],
        mnemonic = "PipelineConfig",
        outputs = [output + "exported.config"],
        target_under_test = ":exported",
        tool = "tools/steps/export/pipeline_config",
    )
    rule_action_test(
        name = "export_action_test",
        size = "small",
        flags = ["--max_classes_per_detection", "2", "--detections_per_class", "50", "--nouse_regular_nms"],
        inputs = [package + file for file in [
            "checkpoint/model.ckpt.data-00000-of-00001",
            "checkpoint/model.ckpt.index",
            "exported.config",
        ]],
        mnemonic = "ExportTfliteSsdGraph",
        outputs = [output + "exported.pb"],
        target_under_test = ":exported",
        tool = "tools/steps/export/export_ssd",
    )

    tflite_model(
        name = "float",
        graph = ":graph",
        input_arrays = ["a"],
        input_shapes = ["1,2"],
        output_arrays = ["x"],
        tags = _MANUAL,
    )
    toco_test(
        name = "toco_float_action_test",
        size = "small",
        flags = [
            "--flagfile={}float.recipe.flags".format(output),
            "--graph_def_file={}graph.pb".format(output),
            "--output_file={}float.raw.tflite".format(output),
        ],
        inputs = [package + "float.recipe.flags", package + "graph.pb"],
        target_under_test = ":float.raw",
    )
    written_test(
        name = "float_flags_action_test",
        size = "small",
        file = "float.recipe.flags",
        lines = ["--input_arrays=a", "--input_shapes=1,2", "--output_arrays=x", "--inference_type=FLOAT"],
        target_under_test = ":float.recipe",
    )
    rule_action_test(
        name = "canonical_tflite_action_test",
        size = "small",
        # Nothing is written before the converted model has passed its checks.
        inputs = [package + "float.checked", package + "float.raw.tflite"],
        mnemonic = "CanonicalTflite",
        outputs = [output + "float.tflite"],
        target_under_test = ":float",
        tool = "tools/steps/canonicalize/canonicalize_tflite",
    )

    tflite_model(
        name = "quantized",
        allow_custom_ops = True,
        change_concat_input_ranges = True,
        graph = ":graph_with_ranges",
        inference_type = "QUANTIZED_UINT8",
        input_arrays = ["a", "b"],
        input_shapes = ["1,2", "3"],
        mean_values = [128, 127.5],
        output_arrays = ["x", "x:1"],
        std_dev_values = [128, 127],
        tags = _MANUAL,
    )
    written_test(
        name = "quantized_flags_action_test",
        size = "small",
        file = "quantized.recipe.flags",
        lines = [
            "--input_arrays=a,b",
            "--input_shapes=1,2:3",
            "--output_arrays=x,x:1",
            "--inference_type=QUANTIZED_UINT8",
            "--mean_values=128,127.5",
            "--std_dev_values=128,127",
            "--allow_custom_ops",
            "--change_concat_input_ranges",
        ],
        target_under_test = ":quantized.recipe",
    )
    rule_action_test(
        name = "check_tflite_action_test",
        size = "small",
        flags = ["--minimum_operators", "10", "--quantized"],
        inputs = [package + "quantized.raw.tflite"],
        mnemonic = "CheckTflite",
        outputs = [output + "quantized.checked"],
        target_under_test = ":quantized",
        tool = "tools/steps/check/check_tflite",
    )

    rule_action_test(
        name = "report_action_test",
        size = "small",
        flags = [
            "--build",
            json.encode({
                "benchmark_only": False,
                "converter": "toco",
                "interpreter": "hermetic",
                "preprocessing": "",
                "quantization_aware": True,
                "target": "//{}:quantized".format(native.package_name()),
                "tensorflow_version": "2.15.1",
                "weights": "seeded",
                "weights_description": "stub weights",
            }),
        ],
        inputs = [package + "quantized.tflite"],
        mnemonic = "Report",
        outputs = [output + "quantized.report.json"],
        target_under_test = ":quantized",
        tool = "tools/steps/report/write_report",
    )

    tflite_model(
        name = "identified",
        graph = ":graph_of_zero_to_one",
        input_arrays = ["a"],
        input_shapes = ["1,2"],
        output_arrays = ["x"],
        tags = _MANUAL,
    )
    written_test(
        name = "identity_action_test",
        size = "small",
        file = "identified.identity.json",
        lines = [json.encode({
            "interpreter": "hermetic",
            "name": "identified",
            "preprocessing": "zero_to_one",
            "tensorflow": "2.15.1",
            "weights": "seeded",
        })],
        target_under_test = ":identified",
    )

    tflite_model(
        name = "full_integer",
        converter = "mlir",
        graph = ":graph",
        inference_input_type = "UINT8",
        input_arrays = ["a", "b"],
        input_shapes = ["1,2", "3"],
        optimizations = ["DEFAULT"],
        output_arrays = ["x"],
        representative_dataset = ":dataset",
        tags = _MANUAL,
    )
    rule_action_test(
        name = "mlir_action_test",
        size = "small",
        inputs = [package + file for file in ["dataset.npz", "full_integer.recipe.flags", "graph.pb"]],
        mnemonic = "MlirConvert",
        outputs = [output + "full_integer.raw.tflite"],
        target_under_test = ":full_integer.raw",
        tool = "tools/steps/convert/mlir_2.15.1",
    )
    written_test(
        name = "full_integer_flags_action_test",
        size = "small",
        file = "full_integer.recipe.flags",
        lines = [
            "--input_arrays=a,b",
            "--input_shapes=1,2:3",
            "--output_arrays=x",
            "--optimizations=DEFAULT",
            "--supported_ops=TFLITE_BUILTINS",
            "--inference_input_type=UINT8",
            "--inference_output_type=FLOAT",
        ],
        target_under_test = ":full_integer.recipe",
    )

    native.test_suite(
        name = name,
        tests = [":{}_action_test".format(case) for case in [
            "canonical_tflite",
            "check_tflite",
            "export",
            "float_flags",
            "full_integer_flags",
            "identity",
            "mlir",
            "pipeline_config",
            "quantized_flags",
            "report",
            "seed_checkpoint",
            "thresholds",
            "toco_float",
        ]],
    )
