"""Checkpoints that labels name: which files are accepted, and what becomes of them."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//tools/tflite:defs.bzl", "CheckpointInfo", "architecture", "checkpoint_files", "frozen_graph", "pipeline_config", "ssd_frozen_graph")
load(":refusals.bzl", "not_allowed", "refusal", "refusal_tests")

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

CHECKPOINT_FILES = ["own/" + name for name in [
    "model.ckpt-5.data-00000-of-00002",
    "model.ckpt-5.data-00001-of-00002",
    "model.ckpt-5.index",
    "model.ckpt-5.meta",
    "model.ckpt-6.data-00000-of-00001",
    "model.ckpt-6.index",
    "elsewhere/model.ckpt-5.data-00001-of-00002",
    "model.h5",
]]

def _own(*endings):
    return ["own/model.ckpt-5." + ending for ending in endings]

def _provider_test_impl(ctx):
    env = analysistest.begin(ctx)
    checkpoint = analysistest.target_under_test(env)[CheckpointInfo]
    asserts.true(env, checkpoint.prefix.endswith("/own/model.ckpt-5"))
    asserts.equals(
        env,
        ["model.ckpt-5.index", "model.ckpt-5.data-00000-of-00002", "model.ckpt-5.data-00001-of-00002"],
        [file.basename for file in checkpoint.files.to_list()],
    )
    asserts.equals(env, ctx.attr.weights, checkpoint.weights)
    asserts.equals(env, ctx.attr.description, checkpoint.description)
    asserts.equals(env, ctx.attr.weights == "released", checkpoint.quantization_aware)
    return analysistest.end(env)

_provider_test = analysistest.make(
    _provider_test_impl,
    attrs = {
        "weights": attr.string(doc = "As `CheckpointInfo.weights`."),
        "description": attr.string(doc = "As `CheckpointInfo.description`."),
    },
)

_REFUSED = {
    "checkpoint_of_nothing": [],
    "checkpoint_without_its_data": _own("index"),
    "checkpoint_without_a_part": _own("data-00001-of-00002", "index"),
    "checkpoint_without_its_index": _own("data-00000-of-00002", "data-00001-of-00002"),
    "checkpoints_of_two_steps": _own("data-00000-of-00002", "data-00001-of-00002", "index") + ["own/model.ckpt-6.index"],
    "checkpoint_with_the_data_of_another": _own("index") + ["own/model.ckpt-6.data-00000-of-00001"],
    "checkpoint_in_two_folders": _own("data-00000-of-00002", "index") + ["own/elsewhere/model.ckpt-5.data-00001-of-00002"],
    "checkpoint_that_is_keras": ["own/model.h5"],
}

def _refusals():
    def given(names):
        return str([name.rpartition("/")[2] for name in names])

    def part(file):
        return "\"{}/{}\"".format(native.package_name(), file)

    no_part = ("it is no part of the checkpoint model.ckpt-5; give model.ckpt-5.index and every " +
               "model.ckpt-5.data-?????-of-?????, in one folder")
    no_checkpoint = "give the files of a checkpoint, PREFIX.index and PREFIX.data-?????-of-?????"
    allowed = {
        "checkpoint_of_nothing": no_checkpoint,
        "checkpoint_without_its_data": "give the .data-?????-of-????? files too",
        "checkpoint_without_a_part": "give all 2 .data files; the one of number 0 is missing",
        "checkpoint_without_its_index": no_checkpoint,
        "checkpoints_of_two_steps": "give the files of one checkpoint; these are 2",
        "checkpoint_that_is_keras": no_checkpoint,
    }
    refused = {
        name: refusal(name, not_allowed("srcs", given(_REFUSED[name]), words))
        for name, words in allowed.items()
    }
    for name in ["checkpoint_with_the_data_of_another", "checkpoint_in_two_folders"]:
        refused[name] = refusal(name, not_allowed("srcs", part(_REFUSED[name][-1]), no_part))
    return refused

def checkpoint_files_test_suite(name):
    """Declares the tests.

    Args:
      name: the test suite's name.
    """
    files = _own("data-00000-of-00002", "data-00001-of-00002", "index", "meta")
    checkpoint_files(name = "own_checkpoint", srcs = files, tags = _MANUAL)
    checkpoint_files(
        name = "own_checkpoint_of_another",
        srcs = files,
        quantization_aware = True,
        released_as = "example.org's widget 1.2",
        tags = _MANUAL,
    )
    for target, srcs in _REFUSED.items():
        checkpoint_files(name = target, srcs = srcs, tags = _MANUAL)

    architecture(
        name = "own_architecture",
        graph_code = ":graph_code",
        preprocessing = "minus_one_to_one",
        tags = _MANUAL,
    )
    frozen_graph(
        name = "own_graph",
        architecture = ":own_architecture",
        checkpoint = ":own_checkpoint",
        tags = _MANUAL,
    )
    pipeline_config(
        name = "own_config",
        base = "model.config",
        override = "model { ssd { num_classes: 3 } }",
        tags = _MANUAL,
    )
    for graph, config in [("own_ssd", "model.config"), ("own_ssd_with_override", ":own_config")]:
        ssd_frozen_graph(
            name = graph,
            checkpoint = ":own_checkpoint",
            max_detections = 10,
            pipeline_config = config,
            tags = _MANUAL,
            use_regular_nms = True,
        )

    refusal_tests(
        name = name + "_refusals",
        accepted = ["own_graph", "own_ssd", "own_ssd_with_override"],
        refusals = _refusals(),
    )
    _provider_test(
        name = "own_checkpoint_test",
        size = "small",
        description = "weights of model.ckpt-5",
        target_under_test = ":own_checkpoint",
        weights = "own",
    )
    _provider_test(
        name = "own_checkpoint_of_another_test",
        size = "small",
        description = "released weights of example.org's widget 1.2",
        target_under_test = ":own_checkpoint_of_another",
        weights = "released",
    )
    native.test_suite(name = name, tests = [
        name + "_refusals",
        "own_checkpoint_test",
        "own_checkpoint_of_another_test",
    ])
