"""Measures how good models are on a set that a person has.

    bazel run //tools/evaluate -- --task=coco --model=//models:mobiledet --dataset=coco/ --limit=500
    bazel run //tools/evaluate -- --task=coco --model=detect.tflite --dataset=coco/ --nms=both

Tasks: coco (mAP, by pycocotools), imagenet (top-1 and top-5), ade20k (mean IoU), squad (F1, exact
match), div2k (PSNR). How the folders are laid out: tools/evaluate/README.md.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from absl import flags
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.evaluate import measured, nms, sets
from tools.lib.cli import cli
from tools.lib.interpreter import model_argument

_TASK = flags.DEFINE_enum("task", None, sorted(sets.KINDS), "What is measured.")
_MODEL = flags.DEFINE_multi_string(
    "model", None, "A model, as //models:mobiledet, or a .tflite file; repeatable."
)
_DATASET = flags.DEFINE_string("dataset", None, "The folder of the set.")
_LIMIT = flags.DEFINE_integer("limit", None, "Only the first so many samples.", lower_bound=1)
_NMS = flags.DEFINE_enum(
    "nms",
    "given",
    ["given", "regular", "fast", "both"],
    "How a detector's boxes are suppressed: as its file says, or rewritten.",
)
_NMS_SCORE_THRESHOLD = flags.DEFINE_float(
    "nms_score_threshold",
    None,
    "Rewrite a detector's score threshold too; COCO is measured at 1e-8.",
    lower_bound=0,
    upper_bound=1,
)
_MAX_DETECTIONS = flags.DEFINE_integer(
    "max_detections",
    None,
    "Rewrite how many detections a picture has at most; COCO counts 100.",
    lower_bound=1,
    upper_bound=1000,
)
_JSON = flags.DEFINE_bool("json", False, "Whether to print JSON instead of a table.")

_DIFFERENCE = (
    "All else is equal; the two differ in this alone: regular NMS suppresses boxes class by class,"
    " so that a box may be found as several classes; fast NMS knows the best class of a box alone."
)
_REGULAR = {"regular": [True], "fast": [False], "both": [True, False]}


@dataclasses.dataclass(frozen=True)
class Column:
    """One model, or one variant of it, measured."""

    title: str
    weights: str
    changes: dict[str, Any]
    seconds: float
    result: measured.Measured


def _variants() -> list[dict[str, Any]]:
    """The options that are rewritten, for each variant of a detector."""
    common: dict[str, Any] = {}
    if _NMS_SCORE_THRESHOLD.value is not None:
        common["nms_score_threshold"] = _NMS_SCORE_THRESHOLD.value
    if _MAX_DETECTIONS.value is not None:
        common["max_detections"] = _MAX_DETECTIONS.value
    if _NMS.value == "given":
        return [common]
    # Per class, regular suppression keeps 100 unless the file says otherwise.
    return [{**common, "use_regular_nms": regular} for regular in _REGULAR[_NMS.value]]


def _measure(model: model_argument.GivenModel, changes: dict[str, Any]) -> Column:
    content, title = model.content, model.name
    if changes:
        content = nms.variant(content, model.given, changes)
    if "use_regular_nms" in changes:
        title += "\nregular NMS" if changes["use_regular_nms"] else "\nfast NMS"
    start = time.monotonic()
    result = sets.evaluate(_TASK.value, model, content, _DATASET.value, _LIMIT.value)
    return Column(title, model.weights, changes, time.monotonic() - start, result)


def table(task: str, columns: Sequence[Column]) -> Table:
    """Returns what was measured, a column each, and the difference when there are two."""
    samples = {column.result.samples for column in columns}
    made = Table(
        title=f"{task}, {'/'.join(map(str, sorted(samples)))} samples", title_justify="left"
    )
    made.add_column("")
    for column in columns:
        made.add_column(Text(column.title), justify="right")
    if len(columns) == 2:
        made.add_column("first less\nsecond", justify="right")
    for name in columns[0].result.metrics:
        values = [column.result.metrics[name] for column in columns]
        cells = ["-" if value == -1 else f"{value:.4f}" for value in values]
        if len(columns) == 2:
            cells.append("" if -1 in values else f"{values[0] - values[1]:+.4f}")
        made.add_row(name, *cells)
    return made


def _print(columns: Sequence[Column]) -> None:
    if _JSON.value:
        rows = [
            {**dataclasses.asdict(column), "title": column.title.replace("\n", ", ")}
            for column in columns
        ]
        print(
            json.dumps({"task": _TASK.value, "dataset": _DATASET.value, "models": rows}, indent=2)
        )
        return
    console = Console()
    console.print(table(_TASK.value, columns))
    for note in dict.fromkeys(note for column in columns for note in column.result.notes):
        console.print(Text(note))
    if _NMS.value == "both":
        console.print(Text(_DIFFERENCE))


def main(argv: Sequence[str]) -> None:
    """Resolves the models, measures each variant, and prints."""
    del argv
    variants = _variants()
    if _TASK.value != "coco" and variants != [{}]:
        raise cli.UserError(
            "--nms, --nms_score_threshold and --max_detections are about detectors; leave them out"
            f" for {_TASK.value}."
        )
    models = [model_argument.runnable(model_argument.resolve(given)) for given in _MODEL.value]
    columns = []
    for model in models:
        if model.weights == "seeded":
            print(
                f"NOTE: {model.given}: seeded weights (synthetic, not trained): its figures mean"
                " nothing.",
                file=sys.stderr,
            )
        columns += [_measure(model, changes) for changes in variants]
    _print(columns)


if __name__ == "__main__":
    # Not above: the tests of this module have a command line of their own.
    flags.mark_flags_as_required(["task", "model", "dataset"])
    cli.run(main)
