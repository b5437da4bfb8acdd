"""Compares the accuracy of a model on released weights with its published accuracy.

    bazel test --config=released //models:mobiledet.accuracy_test --test_arg=--dataset=/data/coco

MobileBERT also needs --test_arg=--vocabulary=/data/vocab.txt. Paths must be absolute, because a
test runs in a folder of its own.

`models/accuracies.bzl` has the published figures: for each model the task and metric of
//tools/evaluate, the value, its tolerance, the dataset with its number of samples, and the source.
Figures are for a whole dataset, so a part of it is refused.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import evaluation, sets
from reproducible_tflite.lib.evaluation.evaluation import Evaluation
from reproducible_tflite.lib.identity import identity
from reproducible_tflite.lib.interpreter import model_argument

_MODEL = flags.DEFINE_string("model", None, "The .tflite.")
_IDENTITY = flags.DEFINE_string("identity", None, "The model's identity, as its target writes it.")
_EXPECTED = flags.DEFINE_string("expected", None, "The published accuracies, as JSON.")
_DATASET = flags.DEFINE_string(
    "dataset", None, "The folder of the dataset (--test_arg=--dataset=...)."
)

_FIELDS = {
    "task": str,
    "metric": str,
    "value": (int, float),
    "tolerance": (int, float),
    "dataset": str,
    "samples": int,
    "source": str,
}


def row(table: Any, name: str, source: str) -> Mapping[str, Any]:
    """Returns the published accuracy of a model.

    Args:
      table: the published accuracies by the models' names.
      name: the model's name.
      source: the table's name, for messages.

    Raises:
      cli.UserError: the table has no row of this name, or the row is wrong.
    """
    published = table.get(name) if isinstance(table, dict) else None
    if not isinstance(published, dict):
        raise cli.UserError(f"{source}: has no accuracy of {name}.")
    wrong = [key for key, kind in _FIELDS.items() if not isinstance(published.get(key), kind)]
    if wrong:
        raise cli.UserError(f"{source}: the row of {name} lacks {', '.join(wrong)}.")
    if published["task"] not in sets.DATASETS:
        raise cli.UserError(
            f"{source}: the task of {name}, {published['task']!r}, is none of"
            f" {', '.join(sets.DATASETS)}."
        )
    return published


def judge(name: str, expected: Mapping[str, Any], result: Evaluation) -> str:
    """Returns a sentence that confirms the published accuracy.

    Args:
      name: the model's name.
      expected: its row of the table.
      result: its measured accuracy.

    Raises:
      cli.UserError: the accuracy is another one, or was not measured on the whole dataset.
    """
    if result.samples != expected["samples"]:
        raise cli.UserError(
            f"{name}: the published figure is for {expected['dataset']} with"
            f" {expected['samples']} samples, but this dataset has {result.samples}; give all of"
            " it."
        )
    metric, value = expected["metric"], result.metrics.get(expected["metric"])
    if value is None:
        raise cli.UserError(f"{name}: {metric} is none of {', '.join(result.metrics)}.")
    figures = (
        f"{name}: {metric} {value:.4f}; published {expected['value']} (+/-"
        f" {expected['tolerance']}, {expected['source']})"
    )
    if abs(value - expected["value"]) > expected["tolerance"]:
        raise cli.UserError(f"{figures}: not as published.")
    return f"{figures}: as published."


def main(argv: Sequence[str]) -> None:
    """Measures the model's accuracy and compares it with the published one."""
    del argv
    known = identity.read(_IDENTITY.value)
    name = known.name
    table = evaluation.read_json(_EXPECTED.value, "table of accuracies")
    expected = row(table, name, _EXPECTED.value)
    if known.weights != identity.RELEASED:
        raise cli.UserError(
            f"{name}: {known.weights} weights are not trained, so they have no accuracy; add"
            " --config=released."
        )
    model = model_argument.runnable(model_argument.of_file(_MODEL.value, name, known))
    if not _DATASET.value:
        raise cli.UserError(
            f"{name}: {expected['dataset']} is needed; add --test_arg=--dataset=FOLDER."
        )
    if not os.path.isabs(_DATASET.value):
        raise cli.UserError(
            f"--dataset={_DATASET.value}: is a relative path, but a test runs in a folder of its"
            " own; give an absolute path."
        )
    measure = sets.prepare(expected["task"], model, model.content, _DATASET.value)
    result = measure(None)
    cli.note(judge(name, expected, result))


if __name__ == "__main__":
    # Not at import: this module's tests have a command line of their own.
    flags.mark_flags_as_required(["expected", "identity", "model"])
    cli.run(main)
