"""Finished files of others, and which evidence there is of a model."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//tools/tflite:defs.bzl", "TfliteInfo", "tflite_file", "tflite_model")
load(":actions.bzl", "action", "action_tests")
load(":refusals.bzl", "not_allowed", "refusal", "refusal_tests")

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

_DESCRIPTION = "weights of foreign.tflite; not converted here; preprocessing zero_to_one"

def _provider_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    model = target[TfliteInfo]
    asserts.equals(env, None, model.graph)
    asserts.equals(env, "foreign.tflite", model.raw.basename)
    asserts.equals(env, "zero_to_one", model.preprocessing)
    asserts.equals(env, ["", "", ""], [model.converter, model.tensorflow_version, model.interpreter])
    groups = target[OutputGroupInfo]
    asserts.false(env, hasattr(groups, "graph"))
    asserts.equals(
        env,
        ["own_file.identity.json", "own_file.mlbom.json", "own_file.provenance.json", "own_file.report.json"],
        sorted([
            file.basename
            for group in ["identity", "provenance", "report"]
            for file in getattr(groups, group).to_list()
        ]),
    )
    contents = {
        file.basename: json.decode(action.content)
        for action in analysistest.target_actions(env)
        if action.mnemonic == "FileWrite"
        for file in action.outputs.to_list()
    }
    identity = contents["own_file.identity.json"]
    asserts.equals(env, ["own_file", "own", ""], [identity[key] for key in ["name", "weights", "tensorflow"]])
    request = contents["own_file.provenance.request"]
    asserts.equals(
        env,
        {"src": "//{}:foreign.tflite".format(ctx.label.package), "preprocessing": "zero_to_one"},
        request["steps"][-1]["attributes"],
    )
    asserts.true(env, "tools/steps/canonicalize/canonicalize_tflite.py" in [source["name"] for source in request["sources"]])
    return analysistest.end(env)

_provider_test = analysistest.make(_provider_test_impl)

def _source_test_impl(ctx):
    env = analysistest.begin(ctx)
    requests = [
        json.decode(action.content)
        for action in analysistest.target_actions(env)
        if action.mnemonic == "FileWrite" and "\"sources\"" in action.content
    ]
    sources = [source["name"] for source in requests[0]["sources"]]
    asserts.true(env, ctx.attr.source in sources, "{} is not among {}".format(ctx.attr.source, sources))
    return analysistest.end(env)

_source_test = analysistest.make(
    _source_test_impl,
    attrs = {"source": attr.string(doc = "The name of a source in the provenance.", mandatory = True)},
)

def _targets_of(name):
    """Returns the endings of the targets that belong to a model."""
    return sorted([
        rule.removeprefix(name + ".")
        for rule in native.existing_rules()
        if rule.startswith(name + ".") and rule.count(".") == 1
    ])

def tflite_file_test_suite(name):
    """Declares the tests.

    Args:
      name: the test suite's name.
    """
    tflite_file(name = "own_file", src = "foreign.tflite", preprocessing = "zero_to_one", tags = _MANUAL)
    tflite_file(
        name = "proven_file",
        src = "stubs.bzl",
        evidence = ["provenance"],
        lock = "my.lock.json",
        tags = _MANUAL,
    )
    tflite_file(name = "fetched_file", src = "@bazel_tools//tools/genrule:genrule-setup.sh", evidence = [], tags = _MANUAL)
    tflite_file(name = "file_converted_again", src = "foreign.tflite", evidence = ["reproducibility_test"], tags = _MANUAL)
    model = dict(
        graph = ":graph",
        input_arrays = ["a"],
        input_shapes = ["1,2"],
        output_arrays = ["x"],
        tags = _MANUAL,
    )
    tflite_model(name = "proven_model", evidence = ["provenance"], **model)
    tflite_model(name = "model_of_odd_evidence", evidence = ["provenence"], **model)
    for target, endings in {
        "own_file": ["card", "compatibility", "ethos_u", "provenance", "report"],
        "proven_file": ["golden_test", "provenance"],
        "fetched_file": [],
        "proven_model": ["provenance", "raw", "recipe", "signature"],
    }.items():
        if _targets_of(target) != endings:
            fail("{} has the targets {}, not {}".format(target, _targets_of(target), endings))

    # It is not there, and must not stop a build.
    if ":my.lock.json" in native.existing_rule("proven_file.golden_test")["data"]:
        fail("proven_file.golden_test needs the lock, which is still to be made")

    if "quantization_aware" in native.existing_rule("own_file"):
        fail("a .tflite does not say whether its ranges come from training")

    tests = action_tests({"foreign_file_test": action(
        "own_file",
        "CanonicalTflite",
        "tools/steps/canonicalize/canonicalize_tflite",
        ["foreign.tflite"],
        ["own_file.tflite"],
        ["--description", _DESCRIPTION, "--keep_description", "--output", "OUT/own_file.tflite"],
    )})
    _provider_test(name = "own_file_test", size = "small", target_under_test = ":own_file")
    for target, source in {
        "proven_file": native.package_name() + "/stubs.bzl",
        "fetched_file": "@bazel_tools//tools/genrule/genrule-setup.sh",
    }.items():
        _source_test(name = target + "_test", size = "small", source = source, target_under_test = ":" + target)
    refusal_tests(
        name = name + "_refusals",
        accepted = ["own_file.card", "proven_model"],
        refusals = {
            "file_converted_again": refusal(
                "file_converted_again",
                not_allowed("evidence", "[\"reproducibility_test\"]", "give some of card, compatibility, provenance, report"),
            ),
            "model_of_odd_evidence": refusal(
                "model_of_odd_evidence",
                not_allowed("evidence", "[\"provenence\"]", "give some of card, compatibility, provenance, report, reproducibility_test"),
            ),
        },
    )
    native.test_suite(name = name, tests = tests + [
        name + "_refusals",
        "fetched_file_test",
        "own_file_test",
        "proven_file_test",
    ])
