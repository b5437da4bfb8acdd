"""Every rule registers exactly the actions that its recipe asks for, with exactly its arguments."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load(
    "//tools/tflite:defs.bzl",
    "architecture",
    "frozen_graph",
    "photograph_dataset",
    "pipeline_config",
    "ssd_frozen_graph",
    "tflite_model",
    "token_dataset",
)

# The tests look behind the public rules.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:seeded_checkpoint.bzl", "seeded_checkpoint")

# buildifier: disable=bzl-visibility
load("//tools/tflite/private:seeded_ssd_checkpoint.bzl", "seeded_ssd_checkpoint")

_GENRULE_SETUP = "external/bazel_tools/tools/genrule/genrule-setup.sh"
_TOCO = "tools/tensorflow/toco"
_PHOTOGRAPHS = ["one.png", "two.png"]

def _bin_relative(path):
    """The part of a path that does not depend on the configuration."""
    return path.partition("/bin/")[2] if path.startswith("bazel-out/") else path

def _with_mnemonic(env, mnemonic):
    """The one action of the target under test that has the mnemonic."""
    found = [action for action in analysistest.target_actions(env) if action.mnemonic == mnemonic]
    asserts.equals(env, 1, len(found), "actions with the mnemonic " + mnemonic)
    return found[0]

def _check_inputs(env, action, tool, expected):
    """Compares what is given to the tool; the tool itself, its main module and its runfiles may be there."""
    inputs = [_bin_relative(file.path) for file in action.inputs.to_list() if "_middlemen" not in file.path]
    asserts.true(env, tool in inputs, "the tool is no input")
    main_modules = [tool + ".py", tool.rpartition("_")[0] + ".py"]
    asserts.equals(env, sorted(expected), sorted([path for path in inputs if path not in [tool] + main_modules]))

def _rule_action_test_impl(ctx):
    env = analysistest.begin(ctx)
    action = _with_mnemonic(env, ctx.attr.mnemonic)
    bin = analysistest.target_bin_dir_path(env)
    argv = [argument.replace(bin, "BIN") for argument in action.argv]
    asserts.equals(env, ctx.attr.tool, _bin_relative(argv[0]))
    asserts.equals(env, ctx.attr.argv, argv[1:])
    asserts.equals(env, {}, action.env)
    asserts.equals(
        env,
        sorted(ctx.attr.outputs),
        sorted([file.path.replace(bin, "BIN") for file in action.outputs.to_list()]),
        "outputs",
    )
    _check_inputs(env, action, ctx.attr.tool, ctx.attr.inputs)
    return analysistest.end(env)

_rule_action_test = analysistest.make(
    _rule_action_test_impl,
    attrs = {
        "mnemonic": attr.string(doc = "Which action.", mandatory = True),
        "tool": attr.string(doc = "Its executable, below the bin directory.", mandatory = True),
        "argv": attr.string_list(doc = "Every argument; `BIN` stands for the bin directory.", mandatory = True),
        "inputs": attr.string_list(doc = "Every input but the tool, below the bin directory.", mandatory = True),
        "outputs": attr.string_list(doc = "Every output.", mandatory = True),
    },
)

def _toco_test_impl(ctx):
    env = analysistest.begin(ctx)
    action = _with_mnemonic(env, "Genrule")
    bin = analysistest.target_bin_dir_path(env)
    asserts.equals(env, ["/bin/bash", "-c"], action.argv[:2])
    setup, _, command = action.argv[2].partition("; ")
    asserts.equals(env, "source " + _GENRULE_SETUP, setup)
    program, _, flags = command.replace(bin, "BIN").partition(" ")
    asserts.equals(env, _TOCO, _bin_relative(program), "the toolchain's TOCO")
    asserts.equals(env, " ".join(ctx.attr.flags), flags)
    _check_inputs(env, action, _TOCO, ctx.attr.inputs + [_GENRULE_SETUP])
    return analysistest.end(env)

_toco_test = analysistest.make(
    _toco_test_impl,
    attrs = {
        "flags": attr.string_list(doc = "Every flag; `BIN` stands for the bin directory.", mandatory = True),
        "inputs": attr.string_list(doc = "Every input but the tool, below the bin directory.", mandatory = True),
    },
)

# A target under test is analyzed only: its files are empty.
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
    _rule_action_test(
        name = "pipeline_config_action_test",
        size = "small",
        argv = [
            "--base",
            output + "model.config",
            "--override",
            "graph_rewriter { quantization { delay: 1 } }",
            "--output",
            output + "merged.config",
        ],
        inputs = [package + "model.config"],
        mnemonic = "PipelineConfig",
        outputs = [output + "merged.config"],
        target_under_test = ":merged",
        tool = "tools/export/pipeline_config",
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
    _rule_action_test(
        name = "seed_checkpoint_action_test",
        size = "small",
        argv = [
            "--pipeline_config",
            output + "model.config",
            "--seed",
            "7",
            "--photographs",
            "{0}one.png,{0}two.png".format(output),
            "--signature",
            output + "variables.tsv",
            "--output",
            output + "seeded/model.ckpt",
            "--fine_tune_checkpoint",
            output + "checkpoint/model.ckpt",
        ],
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
        tool = "tools/seed/seed_ssd",
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
    _rule_action_test(
        name = "thresholds_action_test",
        size = "small",
        argv = [
            "--base",
            output + "model.config",
            "--override",
            """
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
""",
            "--output",
            output + "exported.config",
        ],
        inputs = [package + "model.config"],
        mnemonic = "PipelineConfig",
        outputs = [output + "exported.config"],
        target_under_test = ":exported",
        tool = "tools/export/pipeline_config",
    )
    _rule_action_test(
        name = "export_action_test",
        size = "small",
        argv = [
            "--pipeline_config",
            output + "exported.config",
            "--checkpoint",
            output + "checkpoint/model.ckpt",
            "--max_detections",
            "10",
            "--max_classes_per_detection",
            "2",
            "--detections_per_class",
            "50",
            "--nouse_regular_nms",
            "--output",
            output + "exported.exported.pb",
        ],
        inputs = [package + file for file in [
            "checkpoint/model.ckpt.data-00000-of-00001",
            "checkpoint/model.ckpt.index",
            "exported.config",
        ]],
        mnemonic = "ExportTfliteSsdGraph",
        outputs = [output + "exported.exported.pb"],
        target_under_test = ":exported",
        tool = "tools/export/export_ssd",
    )
    _rule_action_test(
        name = "canonical_graph_action_test",
        size = "small",
        argv = ["--input", output + "exported.exported.pb", "--output", output + "exported.pb"],
        inputs = [package + "exported.exported.pb"],
        mnemonic = "CanonicalGraphDef",
        outputs = [output + "exported.pb"],
        target_under_test = ":exported",
        tool = "tools/canonicalize/canonicalize_graph_def",
    )

    tflite_model(
        name = "float",
        graph = ":graph",
        input_arrays = ["a"],
        input_shapes = ["1,2"],
        output_arrays = ["x"],
        tags = _MANUAL,
    )
    _toco_test(
        name = "toco_float_action_test",
        size = "small",
        flags = [
            "--graph_def_file={}graph.pb".format(output),
            "--output_file={}float.raw.tflite".format(output),
            "--input_arrays='a'",
            "--input_shapes='1,2'",
            "--output_arrays='x'",
            "--inference_type='FLOAT'",
        ],
        inputs = [package + "graph.pb"],
        target_under_test = ":float.raw",
    )
    _rule_action_test(
        name = "canonical_tflite_action_test",
        size = "small",
        argv = [
            "--input",
            output + "float.raw.tflite",
            "--description",
            "stub weights; converted by TOCO of TensorFlow 2.15.1",
            "--output",
            output + "float.tflite",
        ],
        # Nothing is written before the converted model was checked.
        inputs = [package + "float.checked", package + "float.raw.tflite"],
        mnemonic = "CanonicalTflite",
        outputs = [output + "float.tflite"],
        target_under_test = ":float",
        tool = "tools/canonicalize/canonicalize_tflite",
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
    _toco_test(
        name = "toco_quantized_action_test",
        size = "small",
        flags = [
            "--graph_def_file={}graph_with_ranges.pb".format(output),
            "--output_file={}quantized.raw.tflite".format(output),
            "--input_arrays='a,b'",
            "--input_shapes='1,2:3'",
            "--output_arrays='x,x:1'",
            "--inference_type='QUANTIZED_UINT8'",
            "--mean_values='128,127.5'",
            "--std_dev_values='128,127'",
            "--allow_custom_ops",
            "--change_concat_input_ranges",
        ],
        inputs = [package + "graph_with_ranges.pb"],
        target_under_test = ":quantized.raw",
    )
    _rule_action_test(
        name = "check_tflite_action_test",
        size = "small",
        argv = [
            "--model",
            output + "quantized.raw.tflite",
            "--minimum_operators",
            "10",
            "--quantized",
            "--output",
            output + "quantized.checked",
        ],
        inputs = [package + "quantized.raw.tflite"],
        mnemonic = "CheckTflite",
        outputs = [output + "quantized.checked"],
        target_under_test = ":quantized",
        tool = "tools/check/check_tflite",
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
    _rule_action_test(
        name = "mlir_action_test",
        size = "small",
        argv = [
            "--flagfile",
            output + "full_integer.raw.flags",
            "--graph_def_file",
            output + "graph.pb",
            "--output_file",
            output + "full_integer.raw.tflite",
            "--representative_dataset",
            output + "dataset.npz",
        ],
        inputs = [package + file for file in ["dataset.npz", "full_integer.raw.flags", "graph.pb"]],
        mnemonic = "MlirConvert",
        outputs = [output + "full_integer.raw.tflite"],
        target_under_test = ":full_integer.raw",
        tool = "tools/convert/mlir_2.15.1",
    )

    photograph_dataset(
        name = "crops",
        count = 3,
        height = 20,
        input = "a",
        photographs = ":photographs",
        tags = _MANUAL,
        width = 30,
    )
    _rule_action_test(
        name = "photograph_dataset_action_test",
        size = "small",
        argv = [
            "--photographs",
            "{0}one.png,{0}two.png".format(output),
            "--input",
            "a",
            "--count",
            "3",
            "--height",
            "20",
            "--width",
            "30",
            "--output",
            output + "crops.npz",
        ],
        inputs = [package + file for file in _PHOTOGRAPHS],
        mnemonic = "PhotographDataset",
        outputs = [output + "crops.npz"],
        target_under_test = ":crops",
        tool = "tools/preprocessing/photograph_dataset",
    )

    token_dataset(
        name = "tokens",
        count = 3,
        length = 100,
        seed = 5,
        tags = _MANUAL,
        vocabulary = 2000,
    )
    _rule_action_test(
        name = "token_dataset_action_test",
        size = "small",
        argv = [
            "--count",
            "3",
            "--length",
            "100",
            "--seed",
            "5",
            "--vocabulary",
            "2000",
            "--output",
            output + "tokens.npz",
        ],
        inputs = [],
        mnemonic = "TokenDataset",
        outputs = [output + "tokens.npz"],
        target_under_test = ":tokens",
        tool = "tools/preprocessing/token_dataset",
    )

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
        tags = _MANUAL,
    )
    _rule_action_test(
        name = "seed_architecture_action_test",
        size = "small",
        argv = [
            "--mode=seed",
            "--classes=7",
            "--size=32",
            "--quantize",
            "--preprocessing",
            "zero_to_one",
            "--seed",
            "3",
            "--photographs",
            "{0}one.png,{0}two.png".format(output),
            "--output",
            output + "seeded_ranges/model.ckpt",
        ],
        inputs = [package + file for file in _PHOTOGRAPHS],
        mnemonic = "SeedCheckpoint",
        outputs = [
            output + "seeded_ranges/model.ckpt.data-00000-of-00001",
            output + "seeded_ranges/model.ckpt.index",
        ],
        target_under_test = ":seeded_ranges",
        tool = package + "graph_code",
    )
    frozen_graph(
        name = "frozen",
        architecture = ":architecture",
        checkpoint = ":seeded_ranges",
        tags = _MANUAL,
    )
    _rule_action_test(
        name = "export_architecture_action_test",
        size = "small",
        argv = [
            "--mode=export",
            "--classes=7",
            "--size=32",
            "--quantize",
            "--checkpoint",
            output + "seeded_ranges/model.ckpt",
            "--output",
            output + "frozen.exported.pb",
        ],
        inputs = [package + file for file in [
            "seeded_ranges/model.ckpt.data-00000-of-00001",
            "seeded_ranges/model.ckpt.index",
        ]],
        mnemonic = "ExportFrozenGraph",
        outputs = [output + "frozen.exported.pb"],
        target_under_test = ":frozen",
        tool = package + "graph_code",
    )

    native.test_suite(
        name = name,
        tests = [":{}_action_test".format(case) for case in [
            "canonical_graph",
            "canonical_tflite",
            "check_tflite",
            "export",
            "export_architecture",
            "mlir",
            "photograph_dataset",
            "pipeline_config",
            "seed_architecture",
            "seed_checkpoint",
            "thresholds",
            "toco_float",
            "toco_quantized",
            "token_dataset",
        ]],
    )
