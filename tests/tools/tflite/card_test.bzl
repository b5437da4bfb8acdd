"""Cards and the catalogue: their inputs, and that they do not change how models are built."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//tools/tflite:defs.bzl", "catalogue", "tflite_model")

# The tests load private rules.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:card.bzl", "card")
load(":actions.bzl", "rule_action_test")
load(":refusals.bzl", "not_allowed", "refusal", "refusal_tests")

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

_PHOTOGRAPHS = ["external/photographs/{}.png".format(name) for name in [
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
        ["CanonicalTflite", "CheckTflite", "Provenance", "Report"],
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
    package = native.package_name() + "/"
    output = "BIN/" + package
    for model, sibling in [("carded", ":carded_sibling"), ("carded_sibling", None)]:
        tflite_model(
            name = model,
            about = "It is a test.",
            float_sibling = sibling,
            graph = ":graph_of_minus_one_to_one",
            input_arrays = ["a"],
            input_shapes = ["1,2"],
            output_arrays = ["x"],
            tags = _MANUAL,
            task = "segmentation",
        )
    model_files = ["carded.mlbom.json", "carded.provenance.json", "carded.report.json", "carded.tflite"]
    rule_action_test(
        name = "card_action_test",
        size = "small",
        flags = [
            "--name",
            "carded",
            "--task",
            "segmentation",
            "--about",
            "It is a test.",
            "--model",
            output + "carded.tflite",
            "--report",
            output + "carded.report.json",
            "--statement",
            output + "carded.provenance.json",
            "--mlbom",
            output + "carded.mlbom.json",
            "--lock",
            "models/models.lock.json",
            "--comparison",
            output + "carded.comparison.json",
            "--card",
            output + "carded.card.html",
            "--row",
            output + "carded.card.json",
        ],
        inputs = ["models/models.lock.json", package + "carded.comparison.json"] + [package + file for file in model_files],
        mnemonic = "Card",
        outputs = [output + "carded.card.html", output + "carded.card.json"],
        target_under_test = ":carded.card",
        tool = "tools/steps/card/write_card",
    )
    rule_action_test(
        name = "comparison_action_test",
        size = "small",
        flags = [
            "--model",
            output + "carded.tflite",
            "--float_model",
            output + "carded_sibling.tflite",
            "--float_name",
            "carded_sibling",
            "--preprocessing",
            "minus_one_to_one",
            "--photographs",
            ",".join(_PHOTOGRAPHS),
            "--output",
            output + "carded.comparison.json",
        ],
        inputs = _PHOTOGRAPHS + [package + "carded.tflite", package + "carded_sibling.tflite"],
        mnemonic = "CompareWithFloat",
        outputs = [output + "carded.comparison.json"],
        target_under_test = ":carded.card",
        tool = "tools/steps/card/compare_with_float",
    )
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

    tests = [
        name + "_refusals",
        "card_action_test",
        "comparison_action_test",
        "model_without_its_card_test",
        "catalogue_files_test",
    ]
    native.test_suite(name = name, tests = [":" + test for test in tests])
