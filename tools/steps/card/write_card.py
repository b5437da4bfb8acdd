"""Writes a model's card, a page for people, and its row in the catalogue.

Usage: write_card --name=x --model=x.tflite --report=x.report.json --statement=x.provenance.json
  --mlbom=x.mlbom.json [--lock=models.lock.json] [--comparison=x.comparison.json]
  [--compatibility=x.compatibility.json] --task=… --about=… [--measured=…]
  --card=x.card.html --row=x.card.json
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from reproducible_tflite.lib.bazel import labels
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.lock import models_lock
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.steps.card import card_page, distributions, facts

_NAME = flags.DEFINE_string("name", None, "The model's name.", required=True)
_TASK = flags.DEFINE_string("task", "", "Its task.")
_ABOUT = flags.DEFINE_string("about", "", "A sentence about it.")
_MEASURED = flags.DEFINE_string(
    "measured", "", "A sentence about what was measured on its trained weights."
)
_MODEL = flags.DEFINE_string("model", None, "The .tflite.", required=True)
_REPORT = flags.DEFINE_string("report", None, "Its report.", required=True)
_STATEMENT = flags.DEFINE_string("statement", None, "Its provenance.", required=True)
_MLBOM = flags.DEFINE_string("mlbom", None, "Its bill of materials.", required=True)
_LOCK = flags.DEFINE_string("lock", None, "The lock with its digest.")
_REPRODUCIBILITY_TEST = flags.DEFINE_bool(
    "reproducibility_test", False, "Whether the model has a test that converts it again."
)
_COMPARISON = flags.DEFINE_string("comparison", None, "Its comparison with its float sibling.")
_COMPATIBILITY = flags.DEFINE_string("compatibility", None, "Where it runs.")
_CARD = flags.DEFINE_string("card", None, "The page to write.", required=True)
_ROW = flags.DEFINE_string("row", None, "The catalogue's row to write.", required=True)


def _parsed(path: str, what: str) -> Any:
    try:
        return json.loads(cli.read_file(path, what))
    except ValueError as error:
        raise cli.UserError(f"{path}: not a {what}: {cli.first_line(error)}.") from error


def _golden(build: Mapping[str, Any]) -> str | None:
    """Returns the digest that the lock has for a model, if any."""
    if not _LOCK.value:
        return None
    key = models_lock.Key(
        labels.in_its_repository(build["target"]), build["weights"], build["tensorflow_version"]
    )
    row = models_lock.parse(cli.read_file(_LOCK.value, "lock"), _LOCK.value).get(key)
    return row.sha256 if row else None


def main(argv: Sequence[str]) -> None:
    del argv
    report = _parsed(_REPORT.value, "report")
    model = reader.read(cli.read_file(_MODEL.value, ".tflite"), _MODEL.value)
    sources = facts.Sources(
        report=report,
        statement=_parsed(_STATEMENT.value, "statement"),
        mlbom=_parsed(_MLBOM.value, "bill of materials"),
        distributions=distributions.of_model(model),
        comparison=_parsed(_COMPARISON.value, "comparison") if _COMPARISON.value else None,
        golden=_golden(report["build"]),
        reproducibility_test=_REPRODUCIBILITY_TEST.value,
        measured=_MEASURED.value,
        compatibility=_parsed(_COMPATIBILITY.value, "list of where it runs")
        if _COMPATIBILITY.value
        else None,
    )
    with cli.output_file(_CARD.value, "w") as stream:
        stream.write(card_page.html(sources, _NAME.value, _TASK.value, _ABOUT.value))
    with cli.output_file(_ROW.value, "w") as stream:
        json.dump(facts.row(sources, _NAME.value, _TASK.value, _ABOUT.value), stream, indent=1)
        stream.write("\n")


if __name__ == "__main__":
    cli.run(main)
