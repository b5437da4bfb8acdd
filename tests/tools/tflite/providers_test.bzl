"""The providers of the rules, and how build settings change them."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load(
    "//tools/tflite:defs.bzl",
    "CheckpointInfo",
    "FrozenGraphInfo",
    "SavedModelInfo",
    "TfliteInfo",
    "released_frozen_graph",
    "released_saved_model",
    "ssd_checkpoint",
    "ssd_frozen_graph",
    "tflite_model",
)

_OTHER_VERSION = {str(Label("//tools/tensorflow:version")): "2.17.1"}
_RELEASED = {str(Label("//models:weights")): "released"}

_RELEASED_DESCRIPTION = "released weights: some_model_2020_05_19 (sha256 0123456789abcdef)"

def _paths(env, files):
    """Returns the sorted paths of files below this package's folder."""
    package = "{}/{}/".format(analysistest.target_bin_dir_path(env), env.ctx.label.package)
    return sorted([file.path.replace(package, "") for file in files])

def _checkpoint_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    checkpoint = target[CheckpointInfo]
    asserts.equals(env, ctx.attr.weights, checkpoint.weights)
    asserts.equals(env, ctx.attr.description, checkpoint.description)
    asserts.equals(env, ctx.attr.files, _paths(env, checkpoint.files.to_list()))
    asserts.equals(env, ctx.attr.files, _paths(env, target[DefaultInfo].files.to_list()))
    index = [file.path for file in checkpoint.files.to_list() if file.path.endswith(".index")]
    asserts.equals(env, [checkpoint.prefix + ".index"], index)
    return analysistest.end(env)

_CHECKPOINT_ATTRS = {
    "description": attr.string(doc = "CheckpointInfo.description.", mandatory = True),
    "files": attr.string_list(doc = "CheckpointInfo.files, below this package.", mandatory = True),
    "weights": attr.string(doc = "CheckpointInfo.weights.", mandatory = True),
}

_checkpoint_test = analysistest.make(_checkpoint_test_impl, attrs = _CHECKPOINT_ATTRS)
_released_checkpoint_test = analysistest.make(
    _checkpoint_test_impl,
    attrs = _CHECKPOINT_ATTRS,
    config_settings = _RELEASED,
)

def _frozen_graph_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    asserts.equals(env, ["weighed.graph.pb"], _paths(env, [target[FrozenGraphInfo].graph]))
    asserts.equals(env, ["weighed.graph.pb"], _paths(env, target[DefaultInfo].files.to_list()))
    asserts.equals(env, "stub weights", target[FrozenGraphInfo].checkpoint.description)
    groups = target[OutputGroupInfo]
    asserts.equals(env, ["weighed.graph.config"], _paths(env, groups.config.to_list()))
    return analysistest.end(env)

_frozen_graph_test = analysistest.make(_frozen_graph_test_impl)

def _released_frozen_graph_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    graph = target[FrozenGraphInfo]
    asserts.equals(env, ["released.graph.pb"], _paths(env, [graph.graph]))
    asserts.equals(env, ["released.graph.pb"], _paths(env, target[DefaultInfo].files.to_list()))
    asserts.equals(env, ["archive/frozen_inference_graph.pb"], _paths(env, target[OutputGroupInfo].raw.to_list()))
    asserts.equals(env, "identity", graph.preprocessing)
    asserts.equals(env, ["ArgMax"], graph.arrays)
    asserts.equals(env, "released", graph.checkpoint.weights)
    asserts.true(env, graph.checkpoint.quantization_aware, "quantization_aware is lost")
    asserts.equals(env, _RELEASED_DESCRIPTION, graph.checkpoint.description)
    actions = analysistest.target_actions(env)
    asserts.equals(env, ["CanonicalGraphDef"], [action.mnemonic for action in actions])
    argv = actions[0].argv
    asserts.equals(env, ["--input", "--output"], [argv[1], argv[3]])
    asserts.true(env, argv[2].endswith("/archive/frozen_inference_graph.pb"), argv[2])
    asserts.true(env, argv[4].endswith("/released.graph.pb"), argv[4])
    asserts.true(env, argv[2] in [file.path for file in actions[0].inputs.to_list()], "the graph is no input")
    return analysistest.end(env)

_released_frozen_graph_test = analysistest.make(_released_frozen_graph_test_impl)

def _released_saved_model_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    saved_model = target[SavedModelInfo]
    package = "{}/{}/".format(analysistest.target_bin_dir_path(env), env.ctx.label.package)
    folder = ctx.attr.folder + "/"
    asserts.equals(env, package + ctx.attr.folder, saved_model.path)
    asserts.equals(env, [folder + name for name in ctx.attr.files], _paths(env, saved_model.files.to_list()))

    # A single file, with which a test names the folder.
    asserts.equals(env, [folder + "saved_model.pb"], _paths(env, target[DefaultInfo].files.to_list()))
    asserts.equals(env, "identity", saved_model.preprocessing)
    checkpoint = saved_model.checkpoint
    asserts.equals(env, package + folder + "variables/variables", checkpoint.prefix)
    asserts.equals(env, [folder + name for name in [
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]], _paths(env, checkpoint.files.to_list()))
    asserts.equals(env, "released", checkpoint.weights)
    asserts.equals(env, ctx.attr.description, checkpoint.description)
    return analysistest.end(env)

_released_saved_model_test = analysistest.make(_released_saved_model_test_impl, attrs = {
    "description": attr.string(doc = "CheckpointInfo.description.", mandatory = True),
    "files": attr.string_list(doc = "SavedModelInfo.files, below the folder.", mandatory = True),
    "folder": attr.string(doc = "SavedModelInfo.path, below this package.", mandatory = True),
})

def _check_provenance_request(env, version):
    """Checks the inputs of the provenance: all TensorFlows, programs and steps involved."""
    contents = [
        action.content
        for action in analysistest.target_actions(env)
        if action.mnemonic == "FileWrite" and "\"steps\"" in action.content
    ]
    asserts.equals(env, 1, len(contents), "provenance requests")
    request = json.decode(contents[0])
    repositories = ["cpython_3_11", "tensorflow_2_15_1", "tensorflow_" + version.replace(".", "_")]
    asserts.equals(env, [], [name for name in repositories if name not in request["repositories"]])
    sources = [
        "tools/steps/canonicalize/canonicalize_tflite.py",
        "tools/steps/check/check_tflite.py",
        "tools/steps/convert/toco.py",
        "tools/tflite/private/tflite_model.bzl",
    ]
    asserts.equals(env, [], [path for path in sources if path not in request["sources"]])
    steps = {step["label"].partition(":")[2]: step for step in request["steps"]}
    asserts.equals(env, ["a"], steps["weighed.recipe"]["attributes"]["input_arrays"])
    asserts.true(env, "--flagfile=$(execpath :weighed.recipe)" in steps["weighed.raw"]["attributes"]["cmd"])
    asserts.equals(env, version, request["tensorflow_version"])

def _tflite_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    tflite = target[TfliteInfo]
    asserts.equals(env, ctx.attr.version, tflite.tensorflow_version)
    asserts.equals(env, "hermetic", tflite.interpreter)
    asserts.equals(env, "toco", tflite.converter)
    asserts.equals(env, ["weighed.tflite"], _paths(env, [tflite.model]))
    asserts.equals(env, ["weighed.raw.tflite"], _paths(env, [tflite.raw]))
    asserts.equals(env, ["graph.pb"], _paths(env, [tflite.graph.graph]))
    asserts.equals(env, "stub weights", tflite.graph.checkpoint.description)
    asserts.equals(env, ["weighed.tflite"], _paths(env, target[DefaultInfo].files.to_list()))
    groups = target[OutputGroupInfo]
    asserts.equals(env, ["weighed.raw.tflite"], _paths(env, groups.raw.to_list()))
    asserts.equals(env, ["graph.pb"], _paths(env, groups.graph.to_list()))
    asserts.equals(env, ["weighed.mlbom.json", "weighed.provenance.json"], _paths(env, groups.provenance.to_list()))
    asserts.equals(env, ["weighed.report.json"], _paths(env, groups.report.to_list()))
    _check_provenance_request(env, ctx.attr.version)
    canonical = [action for action in analysistest.target_actions(env) if action.mnemonic == "CanonicalTflite"]
    asserts.true(
        env,
        "stub weights; converted by TOCO of TensorFlow " + ctx.attr.version in canonical[0].argv,
        "the description names another TensorFlow",
    )
    return analysistest.end(env)

_TFLITE_ATTRS = {"version": attr.string(doc = "TfliteInfo.tensorflow_version.", mandatory = True)}

_tflite_test = analysistest.make(_tflite_test_impl, attrs = _TFLITE_ATTRS)
_other_tflite_test = analysistest.make(
    _tflite_test_impl,
    attrs = _TFLITE_ATTRS,
    config_settings = _OTHER_VERSION,
)

def _tensorflow_in_runfiles_test_impl(ctx):
    env = analysistest.begin(ctx)
    runfiles = analysistest.target_under_test(env)[DefaultInfo].default_runfiles
    sites = [file.short_path for file in runfiles.files.to_list() if file.short_path.startswith("../tensorflow_")]
    asserts.equals(env, ["../tensorflow_{}/site".format(ctx.attr.version.replace(".", "_"))], sites)
    return analysistest.end(env)

_tensorflow_in_runfiles_test = analysistest.make(_tensorflow_in_runfiles_test_impl, attrs = _TFLITE_ATTRS)
_other_tensorflow_in_runfiles_test = analysistest.make(
    _tensorflow_in_runfiles_test_impl,
    attrs = _TFLITE_ATTRS,
    config_settings = _OTHER_VERSION,
)

# The TensorFlow that the build setting chooses, and the one that builds graphs, which it never changes.
_CHOSEN = {
    "tensorflow": "//tools/tensorflow",
    "toco": "//tools/tensorflow:toco",
}
_FIXED = {
    "canonicalize_graph_def": "//tools/steps/canonicalize:canonicalize_graph_def",
    "export_ssd": "//tools/steps/export:export_ssd",
    "pipeline_config": "//tools/steps/export:pipeline_config",
    "seed_ssd": "//tools/steps/seed:seed_ssd",
}

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

def providers_test_suite(name):
    """Declares tests of every provider, with the default build settings and with others.

    Args:
      name: the test suite's name.
    """
    ssd_checkpoint(
        name = "weights",
        archive = ":archive",
        member = "fp32/model.ckpt-1",
        pipeline_config = "model.config",
        seed = 7,
        signature = "variables.tsv",
        tags = _MANUAL,
    )
    _checkpoint_test(
        name = "weights_are_seeded_by_default_test",
        size = "small",
        description = "seeded weights (synthetic, seed 7): not trained",
        files = [
            "weights.seeded/model.ckpt.data-00000-of-00001",
            "weights.seeded/model.ckpt.index",
        ],
        target_under_test = ":weights",
        weights = "seeded",
    )
    _released_checkpoint_test(
        name = "weights_are_released_on_demand_test",
        size = "small",
        description = _RELEASED_DESCRIPTION,
        # Without the .meta and the archive's other checkpoint.
        files = [
            "archive/fp32/model.ckpt-1.data-00000-of-00001",
            "archive/fp32/model.ckpt-1.index",
        ],
        target_under_test = ":weights",
        weights = "released",
    )

    ssd_frozen_graph(
        name = "weighed.graph",
        checkpoint = ":checkpoint",
        max_detections = 10,
        pipeline_config = "model.config",
        score_threshold = 0.3,
        tags = _MANUAL,
        use_regular_nms = True,
    )
    _frozen_graph_test(name = "frozen_graph_test", size = "small", target_under_test = ":weighed.graph")

    released_frozen_graph(
        name = "released.graph",
        archive = ":archive",
        member = "frozen_inference_graph.pb",
        arrays = ["ArgMax"],
        preprocessing = "identity",
        quantization_aware = True,
        tags = _MANUAL,
    )
    _released_frozen_graph_test(
        name = "released_frozen_graph_test",
        size = "small",
        target_under_test = ":released.graph",
    )
    released_saved_model(
        name = "saved_model_in_an_archive",
        archive = ":archive",
        member = "saved",
        preprocessing = "identity",
        tags = _MANUAL,
    )
    _released_saved_model_test(
        name = "saved_model_in_an_archive_test",
        size = "small",
        description = _RELEASED_DESCRIPTION,
        files = [
            "assets/labels.txt",
            "saved_model.pb",
            "variables/variables.data-00000-of-00001",
            "variables/variables.index",
        ],
        folder = "archive/saved",
        target_under_test = ":saved_model_in_an_archive",
    )
    released_saved_model(
        name = "saved_model_as_a_folder",
        archive = ":folder",
        preprocessing = "identity",
        tags = _MANUAL,
    )
    _released_saved_model_test(
        name = "saved_model_as_a_folder_test",
        size = "small",
        description = "released weights: some_folder (sha256 01 of saved_model.pb, 23 of variables/variables.index)",
        files = [
            "saved_model.pb",
            "variables/variables.data-00000-of-00001",
            "variables/variables.index",
        ],
        folder = "folder",
        target_under_test = ":saved_model_as_a_folder",
    )

    tflite_model(
        name = "weighed",
        graph = ":graph",
        input_arrays = ["a"],
        input_shapes = ["1,2"],
        output_arrays = ["x"],
        tags = _MANUAL,
    )
    _tflite_test(
        name = "tflite_by_default_test",
        size = "small",
        target_under_test = ":weighed",
        version = "2.15.1",
    )
    _other_tflite_test(
        name = "tflite_by_another_version_test",
        size = "small",
        target_under_test = ":weighed",
        version = "2.17.1",
    )
    tests = [
        "weights_are_seeded_by_default_test",
        "weights_are_released_on_demand_test",
        "frozen_graph_test",
        "released_frozen_graph_test",
        "saved_model_in_an_archive_test",
        "saved_model_as_a_folder_test",
        "tflite_by_default_test",
        "tflite_by_another_version_test",
    ]

    for targets, other in [(_CHOSEN, "2.17.1"), (_FIXED, "2.15.1")]:
        for target, label in targets.items():
            _tensorflow_in_runfiles_test(
                name = target + "_by_default_test",
                size = "small",
                target_under_test = label,
                version = "2.15.1",
            )
            _other_tensorflow_in_runfiles_test(
                name = target + "_when_another_version_converts_test",
                size = "small",
                target_under_test = label,
                version = other,
            )
            tests += [target + "_by_default_test", target + "_when_another_version_converts_test"]

    native.test_suite(name = name, tests = [":" + test for test in tests])
