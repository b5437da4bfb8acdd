"""Holds a model on released weights to what is published of its accuracy.

    bazel test --config=released //models:mobiledet.accuracy_test --test_arg=--dataset=/data/coco

MobileBERT needs --test_arg=--vocabulary=/data/vocab.txt too. A test is not run where a person
stands, so paths begin with a slash.

The figures stand in `models/accuracies.bzl`: for each model the task and metric of
//tools/evaluate, the value, how far a measured one may be from it, the set with its number of
samples, and the source. A figure is one of a whole set, so a part of it is refused.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from tools.evaluate import measured, sets
from tools.lib.cli import cli
from tools.lib.identity import identity
from tools.lib.interpreter import model_argument

_MODEL = flags.DEFINE_string("model", None, "The .tflite.")
_IDENTITY = flags.DEFINE_string("identity", None, "What it is, as its target writes it.")
_EXPECTED = flags.DEFINE_string("expected", None, "The table, as JSON.")
_DATASET = flags.DEFINE_string("dataset", None, "The folder of the set (--test_arg=--dataset=...).")

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
    """Returns what is published of a model.

    Args:
      table: what is published, by the models' names.
      name: the model's.
      source: the table's name, for messages.

    Raises:
      cli.UserError: there is no row, or it lacks something.
    """
    found = table.get(name) if isinstance(table, dict) else None
    if not isinstance(found, dict):
        raise cli.UserError(f"{source}: has no accuracy of {name}.")
    wrong = [key for key, kind in _FIELDS.items() if not isinstance(found.get(key), kind)]
    if wrong or found["task"] not in sets.KINDS:
        raise cli.UserError(f"{source}: the row of {name} lacks {', '.join(wrong) or 'a task'}.")
    return found


def judge(name: str, expected: Mapping[str, Any], result: measured.Measured) -> str:
    """Returns a sentence that says that a model is as good as published.

    Raises:
      cli.UserError: it is not, or was not measured on the whole set.
    """
    if result.samples != expected["samples"]:
        raise cli.UserError(
            f"{name}: the published figure is one of {expected['dataset']} with"
            f" {expected['samples']} samples, but this set has {result.samples}; give all of it."
        )
    metric, value = expected["metric"], result.metrics.get(expected["metric"])
    if value is None:
        raise cli.UserError(f"{name}: {metric} is none of {', '.join(result.metrics)}.")
    said = (
        f"{name}: {metric} {value:.4f}; published {expected['value']} (give or take"
        f" {expected['tolerance']}, {expected['source']})"
    )
    if abs(value - expected["value"]) > expected["tolerance"]:
        raise cli.UserError(f"{said}: not what was published.")
    return f"{said}: as published."


def main(argv: Sequence[str]) -> None:
    """Refuses what has no accuracy; measures the rest and judges it."""
    del argv
    known = identity.read(_IDENTITY.value)
    name = known.name
    expected = row(
        measured.read_json(_EXPECTED.value, "table of accuracies"), name, _EXPECTED.value
    )
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
            f"--dataset={_DATASET.value}: a test is run elsewhere; give the path from / on."
        )
    result = sets.evaluate(expected["task"], model, model.content, _DATASET.value, None)
    print(judge(name, expected, result), file=sys.stderr)


if __name__ == "__main__":
    # Not above: the tests of this module have a command line of their own.
    flags.mark_flags_as_required(["expected", "identity", "model"])
    cli.run(main)
