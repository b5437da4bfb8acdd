"""Measures the accuracy of models on a dataset that you have.

    bazel run //tools/evaluate -- --task=coco --model=//models:mobiledet --dataset=coco/ --limit=500
    bazel run //tools/evaluate -- --task=coco --model=detect.tflite --dataset=coco/ --nms=both

Tasks: coco (mAP, by pycocotools), imagenet (top-1 and top-5), ade20k (mean IoU), squad (F1, exact
match), div2k (PSNR), examples (top-1 of any classifier). tools/evaluate/README.md describes the
layout of their folders.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags
from rich.table import Table
from rich.text import Text

from reproducible_tflite.evaluate import nms
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import evaluation, sets
from reproducible_tflite.lib.interpreter import model_argument

_TASK = flags.DEFINE_enum("task", None, sets.DATASETS, "The dataset and its metrics.")
_MODEL = flags.DEFINE_multi_string(
    "model", None, "A label such as //models:mobiledet, or a .tflite file; repeatable."
)
_DATASET = flags.DEFINE_string("dataset", None, "The folder of the dataset; for examples, an .npz.")
_LIMIT = flags.DEFINE_integer(
    "limit", None, "Measure only this many samples, from the first on.", lower_bound=1
)
_NMS = flags.DEFINE_enum(
    "nms",
    "given",
    ["given", "regular", "fast", "both"],
    "How a detector suppresses boxes: as its file says, or rewritten.",
)
_NMS_SCORE_THRESHOLD = flags.DEFINE_float(
    "nms_score_threshold",
    None,
    "Rewrite a detector's score threshold; COCO results use 1e-8.",
    lower_bound=0,
    upper_bound=1,
)
_MAX_DETECTIONS = flags.DEFINE_integer(
    "max_detections",
    None,
    "Rewrite a detector's maximum number of detections per picture; COCO counts 100.",
    lower_bound=1,
    upper_bound=1000,
)
_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of a table.")

_DIFFERENCE = (
    "The two differ only in this: regular NMS suppresses boxes class by class, so one box may be"
    " reported for several classes; fast NMS uses only the best class of each box."
)
_REGULAR = {"regular": [True], "fast": [False], "both": [True, False]}


@dataclasses.dataclass(frozen=True)
class Column:
    """The figures of one model, or of one variant of it.

    Attributes:
      title: the model's name, and the variant in a second line.
      weights: see `Identity.weights`; "" for a foreign file.
      changes: the rewritten options of the detector's post-processing.
      seconds: how long the evaluation took.
      result: the metrics.
    """

    title: str
    weights: str
    changes: dict[str, Any]
    seconds: float
    result: evaluation.Evaluation


def _variants() -> list[dict[str, Any]]:
    """Returns the options to rewrite, for each variant of a detector."""
    common: dict[str, Any] = {}
    if _NMS_SCORE_THRESHOLD.value is not None:
        common["nms_score_threshold"] = _NMS_SCORE_THRESHOLD.value
    if _MAX_DETECTIONS.value is not None:
        common["max_detections"] = _MAX_DETECTIONS.value
    if _NMS.value == "given":
        return [common]
    return [{**common, "use_regular_nms": regular} for regular in _REGULAR[_NMS.value]]


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """A model, or a variant of it, that is loaded and fits the dataset.

    Attributes:
      model: the model.
      changes: see `Column.changes`.
      measure: see `sets.prepare`.
    """

    model: model_argument.GivenModel
    changes: dict[str, Any]
    measure: Callable[[int | None], evaluation.Evaluation]

    def column(self) -> Column:
        """Measures and returns the figures."""
        title = self.model.name
        if "use_regular_nms" in self.changes:
            title += "\nregular NMS" if self.changes["use_regular_nms"] else "\nfast NMS"
        start = time.monotonic()
        result = self.measure(_LIMIT.value)
        return Column(title, self.model.weights, self.changes, time.monotonic() - start, result)


def _prepare(model: model_argument.GivenModel, changes: dict[str, Any]) -> _Prepared:
    content = nms.variant(model.content, model.given, changes) if changes else model.content
    return _Prepared(model, changes, sets.prepare(_TASK.value, model, content, _DATASET.value))


def table(task: str, columns: Sequence[Column]) -> Table:
    """Returns a table with a column of metrics per model; with two models, also the difference."""
    samples = {column.result.samples for column in columns}
    figures = Table(
        title=f"{task}, {'/'.join(map(str, sorted(samples)))} samples", title_justify="left"
    )
    figures.add_column("")
    for column in columns:
        figures.add_column(Text(column.title), justify="right")
    if len(columns) == 2:
        figures.add_column("first minus\nsecond", justify="right")
    for name in columns[0].result.metrics:
        values = [column.result.metrics[name] for column in columns]
        cells = ["-" if value == -1 else f"{value:.4f}" for value in values]
        if len(columns) == 2:
            cells.append("" if -1 in values else f"{values[0] - values[1]:+.4f}")
        figures.add_row(name, *cells)
    return figures


def _print(columns: Sequence[Column]) -> None:
    if _JSON.value:
        rows = [
            {**dataclasses.asdict(column), "title": column.title.replace("\n", ", ")}
            for column in columns
        ]
        cli.say(
            json.dumps({"task": _TASK.value, "dataset": _DATASET.value, "models": rows}, indent=2)
        )
        return
    console = cli.console()
    console.print(table(_TASK.value, columns))
    for note in dict.fromkeys(note for column in columns for note in column.result.notes):
        console.print(Text(note))
    if _NMS.value == "both":
        console.print(Text(_DIFFERENCE))


def main(argv: Sequence[str]) -> None:
    """Resolves and loads the models, measures each variant, and prints."""
    del argv
    variants = _variants()
    if _TASK.value != "coco" and variants != [{}]:
        raise cli.UserError(
            "--nms, --nms_score_threshold and --max_detections are for detectors; leave them out"
            f" for {_TASK.value}."
        )
    models = [model_argument.runnable(model_argument.resolve(given)) for given in _MODEL.value]
    for model in models:
        sets.check(_TASK.value, model, _DATASET.value)
    # A mistake in the last model is found before the first is measured.
    prepared = [_prepare(model, changes) for model in models for changes in variants]
    for model in models:
        if model.weights == "seeded":
            cli.note(
                f"NOTE: {model.given}: seeded weights (synthetic, not trained), so its figures mean"
                " nothing."
            )
    columns = [row.column() for row in prepared]
    _print(columns)


if __name__ == "__main__":
    # Not at import: this module's tests have a command line of their own.
    flags.mark_flags_as_required(["task", "model", "dataset"])
    cli.run(main)
