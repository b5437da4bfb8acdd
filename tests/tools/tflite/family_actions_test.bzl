"""Like actions_test.bzl, for the rules for any family and for datasets."""

load(
    "//tools/tflite:defs.bzl",
    "architecture",
    "frozen_graph",
    "photograph_dataset",
    "token_dataset",
)

# The tests load private rules.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:seeded_checkpoint.bzl", "seeded_checkpoint")
load(":actions.bzl", "rule_action_test")

_PHOTOGRAPHS = ["one.png", "two.png"]

# Targets under test are only analyzed, so their files are empty.
_MANUAL = ["manual"]

def family_actions_test_suite(name):
    """Declares one test for each kind of action.

    Args:
      name: the test suite's name.
    """
    package = native.package_name() + "/"
    output = "BIN/" + package

    photograph_dataset(
        name = "crops",
        count = 3,
        height = 20,
        input = "a",
        photographs = ":photographs",
        tags = _MANUAL,
        width = 30,
    )
    rule_action_test(
        name = "photograph_dataset_action_test",
        size = "small",
        inputs = [package + file for file in _PHOTOGRAPHS],
        mnemonic = "PhotographDataset",
        outputs = [output + "crops.npz"],
        target_under_test = ":crops",
        tool = "tools/steps/dataset/photograph_dataset",
    )

    token_dataset(
        name = "tokens",
        count = 3,
        length = 100,
        seed = 5,
        tags = _MANUAL,
        vocabulary = 2000,
    )
    rule_action_test(
        name = "token_dataset_action_test",
        size = "small",
        inputs = [],
        mnemonic = "TokenDataset",
        outputs = [output + "tokens.npz"],
        target_under_test = ":tokens",
        tool = "tools/steps/dataset/token_dataset",
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
        signature = "variables.tsv",
        tags = _MANUAL,
    )
    rule_action_test(
        name = "seed_architecture_action_test",
        size = "small",
        flags = ["--signature", output + "variables.tsv"],
        inputs = [package + file for file in _PHOTOGRAPHS + ["variables.tsv"]],
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
    rule_action_test(
        name = "export_architecture_action_test",
        size = "small",
        inputs = [package + file for file in [
            "seeded_ranges/model.ckpt.data-00000-of-00001",
            "seeded_ranges/model.ckpt.index",
        ]],
        mnemonic = "ExportFrozenGraph",
        outputs = [output + "frozen.pb"],
        target_under_test = ":frozen",
        tool = package + "graph_code",
    )

    native.test_suite(
        name = name,
        tests = [":{}_action_test".format(case) for case in [
            "export_architecture",
            "photograph_dataset",
            "seed_architecture",
            "token_dataset",
        ]],
    )
