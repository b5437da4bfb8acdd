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
load(":actions.bzl", "action", "action_tests")

_OTHER_VERSION = {str(Label("//tools/tensorflow:version")): "2.17.1"}
_RELEASED = {str(Label("//models:weights")): "released"}

def _checkpoint(prefix, description, **changes):
    """Returns the expected `_checkpoint_facts`."""
    return {
        "description": description,
        "files": [prefix + ".data-00000-of-00001", prefix + ".index"],
        "prefix": prefix,
        "quantization_aware": False,
        "weights": "seeded",
    } | changes

def _released(prefix, description = "released weights: some_model_2020_05_19 (sha256 0123456789abcdef)", **changes):
    return _checkpoint(prefix, description, weights = "released", **changes)

def _relative(env, path):
    """Returns a path below this package's folder."""
    return path.removeprefix("{}/{}/".format(analysistest.target_bin_dir_path(env), env.ctx.label.package))

def _paths(env, files):
    return sorted([_relative(env, file.path) for file in files])

def _check_provenance_request(env, version):
    """Checks the inputs of the provenance: all TensorFlows, programs and steps involved."""
    contents = [
        action.content
        for action in analysistest.target_actions(env)
        if action.mnemonic == "FileWrite" and "\"steps\"" in action.content
    ]
    asserts.equals(env, 1, len(contents), "provenance requests")
    request = json.decode(contents[0])
    repositories = ["reproducible_tflite_cpython_3_11", "reproducible_tflite_tensorflow_2_15_1", "reproducible_tflite_tensorflow_" + version.replace(".", "_")]
    asserts.equals(env, [], [name for name in repositories if name not in request["repositories"]])
    sources = [
        "tools/steps/canonicalize/canonicalize_tflite.py",
        "tools/steps/check/check_tflite.py",
        "tools/steps/convert/toco.py",
        "tools/steps/equivalence/compare_with_source.py",
        "tools/tflite/private/tflite_model.bzl",
    ]
    asserts.equals(env, [], [path for path in sources if path not in [source["path"] for source in request["sources"]]])
    steps = {step["label"].partition(":")[2]: step for step in request["steps"]}
    asserts.equals(env, ["a"], steps["weighed.recipe"]["attributes"]["input_arrays"])
    asserts.true(env, "--flagfile=$(execpath :weighed.recipe)" in steps["weighed.raw"]["attributes"]["cmd"])
    asserts.equals(env, version, request["tensorflow_version"])

def _checkpoint_facts(env, checkpoint):
    return {
        "description": checkpoint.description,
        "files": _paths(env, checkpoint.files.to_list()),
        "prefix": _relative(env, checkpoint.prefix),
        "quantization_aware": checkpoint.quantization_aware,
        "weights": checkpoint.weights,
    }

def _facts(env, target):
    """Returns what a target says of itself: its files, its output groups and the fields of its provider."""
    facts = {"files": _paths(env, target[DefaultInfo].files.to_list())}
    if OutputGroupInfo in target:
        for group in ["config", "graph", "provenance", "raw", "report"]:
            if hasattr(target[OutputGroupInfo], group):
                facts[group] = _paths(env, getattr(target[OutputGroupInfo], group).to_list())
    if CheckpointInfo in target:
        facts["checkpoint"] = _checkpoint_facts(env, target[CheckpointInfo])
    if FrozenGraphInfo in target:
        graph = target[FrozenGraphInfo]
        facts["FrozenGraphInfo"] = {
            "arrays": graph.arrays,
            "graph": _relative(env, graph.graph.path),
            "preprocessing": graph.preprocessing,
        }
        facts["checkpoint"] = _checkpoint_facts(env, graph.checkpoint)
    if SavedModelInfo in target:
        saved_model = target[SavedModelInfo]
        facts["SavedModelInfo"] = {
            "files": _paths(env, saved_model.files.to_list()),
            "path": _relative(env, saved_model.path),
            "preprocessing": saved_model.preprocessing,
        }
        facts["checkpoint"] = _checkpoint_facts(env, saved_model.checkpoint)
    if TfliteInfo in target:
        tflite = target[TfliteInfo]
        facts["TfliteInfo"] = {
            "converter": tflite.converter,
            "graph": _relative(env, tflite.graph.graph.path) if tflite.graph else None,
            "interpreter": tflite.interpreter,
            "model": _relative(env, tflite.model.path),
            "preprocessing": tflite.preprocessing,
            "raw": _relative(env, tflite.raw.path),
            "tensorflow_version": tflite.tensorflow_version,
        }
    return facts

def _facts_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    asserts.equals(env, json.decode(ctx.attr.expected), _facts(env, target))
    if TfliteInfo in target:
        version = target[TfliteInfo].tensorflow_version
        _check_provenance_request(env, version)
        canonical = [action for action in analysistest.target_actions(env) if action.mnemonic == "CanonicalTflite"]
        asserts.true(
            env,
            "stub weights; converted by TOCO of TensorFlow " + version in canonical[0].argv,
            "the description names another TensorFlow",
        )
    return analysistest.end(env)

_FACTS_ATTRS = {"expected": attr.string(doc = "What `_facts` returns, as JSON.", mandatory = True)}

_facts_test = analysistest.make(_facts_test_impl, attrs = _FACTS_ATTRS)
_released_facts_test = analysistest.make(_facts_test_impl, attrs = _FACTS_ATTRS, config_settings = _RELEASED)
_other_facts_test = analysistest.make(_facts_test_impl, attrs = _FACTS_ATTRS, config_settings = _OTHER_VERSION)

def _tensorflow_in_runfiles_test_impl(ctx):
    env = analysistest.begin(ctx)
    runfiles = analysistest.target_under_test(env)[DefaultInfo].default_runfiles
    sites = [file.short_path for file in runfiles.files.to_list() if file.short_path.startswith("../reproducible_tflite_tensorflow_")]
    asserts.equals(env, ["../reproducible_tflite_tensorflow_{}/site".format(ctx.attr.version.replace(".", "_"))], sites)
    return analysistest.end(env)

_VERSION_ATTRS = {"version": attr.string(doc = "Of the only TensorFlow among the runfiles.", mandatory = True)}

_tensorflow_in_runfiles_test = analysistest.make(_tensorflow_in_runfiles_test_impl, attrs = _VERSION_ATTRS)
_other_tensorflow_in_runfiles_test = analysistest.make(
    _tensorflow_in_runfiles_test_impl,
    attrs = _VERSION_ATTRS,
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
    ssd_frozen_graph(
        name = "weighed.graph",
        checkpoint = ":checkpoint",
        max_detections = 10,
        pipeline_config = "model.config",
        score_threshold = 0.3,
        tags = _MANUAL,
        use_regular_nms = True,
    )
    released_frozen_graph(
        name = "released.graph",
        archive = ":archive",
        member = "frozen_inference_graph.pb",
        arrays = ["ArgMax"],
        preprocessing = "identity",
        quantization_aware = True,
        tags = _MANUAL,
    )
    for case, archive, member in [("archive", ":archive", "saved"), ("folder", ":folder", "")]:
        released_saved_model(
            name = "saved_model_in_" + case,
            archive = archive,
            member = member,
            preprocessing = "identity",
            tags = _MANUAL,
        )
    tflite_model(
        name = "weighed",
        graph = ":graph",
        input_arrays = ["a"],
        input_shapes = ["1,2"],
        output_arrays = ["x"],
        tags = _MANUAL,
    )

    seeded = _checkpoint("weights.seeded/model.ckpt", "seeded weights (synthetic, seed 7): not trained")

    # Without the .meta and the archive's other checkpoint.
    released = _released("archive/fp32/model.ckpt-1")
    variables = ["variables/variables.data-00000-of-00001", "variables/variables.index"]
    tflite = {
        version: {
            "TfliteInfo": {
                "converter": "toco",
                "graph": "graph.pb",
                "interpreter": "hermetic",
                "model": "weighed.tflite",
                "preprocessing": "",
                "raw": "weighed.raw.tflite",
                "tensorflow_version": version,
            },
            "files": ["weighed.tflite"],
            "graph": ["graph.pb"],
            "provenance": ["weighed.mlbom.json", "weighed.provenance.json"],
            "raw": ["weighed.raw.tflite"],
            "report": ["weighed.report.json"],
        }
        for version in ["2.15.1", "2.17.1"]
    }
    tests = action_tests({"released_frozen_graph_action_test": action(
        "released.graph",
        "CanonicalGraphDef",
        "tools/steps/canonicalize/canonicalize_graph_def",
        ["archive/frozen_inference_graph.pb"],
        ["released.graph.pb"],
        ["--input", "OUT/archive/frozen_inference_graph.pb", "--output", "OUT/released.graph.pb"],
    )})
    for case, test, target, expected in [
        ("weights_are_seeded_by_default", _facts_test, "weights", {"checkpoint": seeded, "files": seeded["files"]}),
        (
            "weights_are_released_on_demand",
            _released_facts_test,
            "weights",
            {"checkpoint": released, "files": released["files"]},
        ),
        ("frozen_graph", _facts_test, "weighed.graph", {
            "FrozenGraphInfo": {
                "arrays": ["normalized_input_image_tensor", "TFLite_Detection_PostProcess"] +
                          ["TFLite_Detection_PostProcess:{}".format(number) for number in [1, 2, 3]] +
                          ["raw_outputs/box_encodings", "raw_outputs/class_predictions"],
                "graph": "weighed.graph.pb",
                "preprocessing": "minus_one_to_one",
            },
            "checkpoint": _checkpoint("checkpoint/model.ckpt", "stub weights"),
            "config": ["weighed.graph.config"],
            "files": ["weighed.graph.pb"],
        }),
        ("released_frozen_graph", _facts_test, "released.graph", {
            "FrozenGraphInfo": {"arrays": ["ArgMax"], "graph": "released.graph.pb", "preprocessing": "identity"},
            "checkpoint": _released("", files = [], quantization_aware = True),
            "files": ["released.graph.pb"],
            "raw": ["archive/frozen_inference_graph.pb"],
        }),
        ("saved_model_in_archive", _facts_test, "saved_model_in_archive", {
            "SavedModelInfo": {
                "files": ["archive/saved/" + file for file in ["assets/labels.txt", "saved_model.pb"] + variables],
                "path": "archive/saved",
                "preprocessing": "identity",
            },
            "checkpoint": _released("archive/saved/variables/variables"),
            # A single file, with which a test names the folder.
            "files": ["archive/saved/saved_model.pb"],
        }),
        ("saved_model_in_folder", _facts_test, "saved_model_in_folder", {
            "SavedModelInfo": {
                "files": ["folder/" + file for file in ["saved_model.pb"] + variables],
                "path": "folder",
                "preprocessing": "identity",
            },
            "checkpoint": _released(
                "folder/variables/variables",
                "released weights: some_folder (sha256 01 of saved_model.pb, 23 of variables/variables.index)",
            ),
            "files": ["folder/saved_model.pb"],
        }),
        ("tflite_by_default", _facts_test, "weighed", tflite["2.15.1"]),
        ("tflite_by_another_version", _other_facts_test, "weighed", tflite["2.17.1"]),
    ]:
        test(name = case + "_test", size = "small", expected = json.encode(expected), target_under_test = ":" + target)
        tests.append(":{}_test".format(case))

    for targets, other in [(_CHOSEN, "2.17.1"), (_FIXED, "2.15.1")]:
        for target, label in targets.items():
            for case, test, version in [
                ("by_default", _tensorflow_in_runfiles_test, "2.15.1"),
                ("when_another_version_converts", _other_tensorflow_in_runfiles_test, other),
            ]:
                test_name = "{}_{}_test".format(target, case)
                test(name = test_name, size = "small", target_under_test = label, version = version)
                tests.append(":" + test_name)

    native.test_suite(name = name, tests = tests)
