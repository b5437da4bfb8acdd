"""Cards and the catalogue: their inputs, and that they do not change how models are built."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//tools/tflite:defs.bzl", "catalogue", "tflite_model")

# The tests load private rules.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:card.bzl", "card")
load(":actions.bzl", "action", "action_tests")
load(":refusals.bzl", "not_allowed", "refusal", "refusal_tests")

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

_PHOTOGRAPHS = ["external/reproducible_tflite_photographs/{}.png".format(name) for name in [
    "astronaut",
    "chelsea",
    "coffee",
    "camera",
]]

def _model_actions_test_impl(ctx):
    env = analysistest.begin(ctx)
    mnemonics = [action.mnemonic for action in analysistest.target_actions(env)]
    asserts.equals(
        env,
        ["CanonicalTflite", "CheckTflite", "CompareWithSource", "Provenance", "Report"],
        sorted([mnemonic for mnemonic in mnemonics if mnemonic != "FileWrite"]),
    )
    texts = [
        argument
        for action in analysistest.target_actions(env)
        for argument in (action.argv or []) + [action.content or ""]
    ]
    asserts.equals(env, [], [text for text in texts if "It is a test" in text])
    return analysistest.end(env)

_model_actions_test = analysistest.make(_model_actions_test_impl)

def _catalogue_test_impl(ctx):
    env = analysistest.begin(ctx)
    package = "{}/{}/".format(analysistest.target_bin_dir_path(env), env.ctx.label.package)
    files = analysistest.target_under_test(env)[DefaultInfo].files.to_list()
    expected = ["index.html"] + [
        model + ending
        for model in ["carded", "carded_sibling"]
        for ending in [".card.html", ".mlbom.json", ".provenance.json"]
    ]
    asserts.equals(
        env,
        sorted(["gallery/" + name for name in expected]),
        sorted([file.path.replace(package, "") for file in files]),
    )
    return analysistest.end(env)

_catalogue_test = analysistest.make(_catalogue_test_impl)

def card_test_suite(name):
    """Declares the tests.

    Args:
      name: the test suite's name.
    """
    for model, sibling in [("carded", ":carded_sibling"), ("carded_sibling", None)]:
        tflite_model(
            name = model,
            about = "It is a test.",
            float_sibling = sibling,
            graph = ":graph_of_minus_one_to_one",
            input_arrays = ["a"],
            input_shapes = ["1,2"],
            lock = "stubs.bzl" if sibling else None,
            measured = "Half is right.",
            output_arrays = ["x"],
            tags = _MANUAL,
            task = "segmentation",
        )
    tests = action_tests({
        "card_action_test": action(
            "carded.card",
            "Card",
            "tools/steps/card/write_card",
            ["stubs.bzl"] + ["carded." + ending for ending in [
                "comparison.json",
                "compatibility.json",
                "mlbom.json",
                "provenance.json",
                "report.json",
                "tflite",
            ]],
            ["carded.card.html", "carded.card.json"],
            ["--name", "carded", "--task", "segmentation", "--about", "It is a test.", "--measured", "Half is right."],
        ),
        "comparison_action_test": action(
            "carded.card",
            "CompareWithFloat",
            "tools/steps/card/compare_with_float",
            _PHOTOGRAPHS + ["carded.tflite", "carded_sibling.tflite"],
            ["carded.comparison.json"],
            ["--float_name", "carded_sibling", "--preprocessing", "minus_one_to_one"],
        ),
    })
    _model_actions_test(name = "model_without_its_card_test", size = "small", target_under_test = ":carded")

    catalogue(
        name = "gallery",
        cards = [":carded.card", ":carded_sibling.card"],
        tags = _MANUAL,
    )
    _catalogue_test(name = "catalogue_files_test", size = "small", target_under_test = ":gallery")

    card(
        name = "card_of_its_own_sibling",
        float_sibling = ":carded",
        model = ":carded",
        tags = _MANUAL,
    )
    refusal_tests(
        name = name + "_refusals",
        accepted = ["carded_sibling.card"],
        refusals = {
            "card_of_its_own_sibling": refusal("card_of_its_own_sibling", not_allowed(
                "float_sibling",
                "\"//{}:carded\"".format(native.package_name()),
                "give another model, which computes in floating point",
            )),
        },
    )

    native.test_suite(name = name, tests = tests + [
        name + "_refusals",
        "model_without_its_card_test",
        "catalogue_files_test",
    ])
