"""Finds how to quantize a model within a budget, and writes its BUILD entry.

It tries recipes on a model in floating point: int8 and int4 weights, with and without int8
activations, in blocks, and those with the worst layers kept in floating point or in int8. Each is
quantized as a build does it and held against the model, and its accuracy is measured on a dataset
that you have. A largest error or loss of accuracy gives the smallest file; a largest size gives the
least error. The same model always gives the same recipe.

Example: bazel run //tools/tune -- //models:vww_96_float --budget=2% --plot=tuned.svg
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import dataclasses
import json
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags
from rich.progress import track
from rich.table import Table
from rich.text import Text

from reproducible_tflite.lib.bazel import building, labels
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.build_file import build_file
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.evaluation import sets
from reproducible_tflite.lib.interpreter import model_argument
from reproducible_tflite.lib.interpreter.model_argument import GivenModel
from reproducible_tflite.lib.quantization_recipe.recipe import Recipe
from reproducible_tflite.tune import candidates, entry, figure, plot, trial
from reproducible_tflite.tune.candidates import Budget, Trial
from reproducible_tflite.tune.figure import Figure

_BUDGET = flags.DEFINE_string(
    "budget",
    None,
    "The largest error of an output (RMS, as a part of its range), such as 0.02 or 2%; the largest"
    " size of the file, such as 300kB; or the largest loss of accuracy, such as accuracy-1%.",
)
_DATASET = flags.DEFINE_string(
    "representative_dataset",
    None,
    "The label of an image_dataset or array_dataset; without one, no ranges are measured.",
)
_TASK = flags.DEFINE_enum(
    "task", None, sets.DATASETS, "Measure the accuracy of each recipe, as //tools/evaluate does."
)
_EVALUATED = flags.DEFINE_string(
    "dataset", None, "For --task: the folder of the dataset; for examples, an .npz."
)
_LIMIT = flags.DEFINE_integer(
    "limit", None, "Measure accuracy or agreement on only this many samples.", lower_bound=1
)
_NAME = flags.DEFINE_string("name", None, "The tuned model's name; by default, MODEL_tuned.")
_BUILD_FILE = flags.DEFINE_string("build_file", None, "A BUILD file to which the entry is added.")
_OUTPUT = flags.DEFINE_string("output", None, "Also write the tuned .tflite into this file.")
_PLOT = flags.DEFINE_string("plot", None, "Draw sizes and errors into this .svg file.")
_JSON = flags.DEFINE_bool("json", False, "Print JSON, with the table and the entry.")
_REPOSITORY = flags.DEFINE_string(
    "repository", "", "The repository that has the rules; the Bazel target sets this."
)

_RULES = "//tools/tflite:defs.bzl"
# Columns, more than any row has.
_UNBROKEN = 1000


def _dataset() -> str | None:
    """Builds the representative dataset and returns its file."""
    label = _DATASET.value
    if label is None:
        return None
    built = building.build(label, BAZEL_FLAG.value)
    paths = [path for path in built.files.get("default", []) if path.endswith(".npz")]
    if len(paths) != 1:
        raise cli.UserError(
            f"--representative_dataset={label}: builds {len(paths)} .npz files; give an"
            " image_dataset or an array_dataset."
        )
    return paths[0]


class Search:
    """The trials so far.

    Attributes:
      trials: those that worked, in order.
      refused: why others did not, by recipe.
      measure: what is measured beside the error; None for nothing.
    """

    def __init__(self, source: trial.Source, allowed: Budget, measure: Figure | None) -> None:
        self.trials: list[Trial] = []
        self.refused: dict[str, str] = {}
        self.measure = measure
        self._source = source
        self._allowed = allowed
        self._contents: dict[str, bytes] = {}

    def content(self, tried: Trial) -> bytes:
        """Returns the file of a trial."""
        return self._contents[tried.sha256]

    def _measured(self, tried: Trial, content: bytes) -> Trial:
        if self.measure is None:
            return tried
        value = self.measure.of(content)
        return dataclasses.replace(tried, figure=value, loss=1 - value / self.measure.float_value)

    def _try(self, recipes: Sequence[Recipe], what: str) -> None:
        progress = track(recipes, what, console=cli.console(stderr=True), transient=True)
        for recipe in progress:
            with tempfile.TemporaryDirectory(prefix="tune-") as folder:
                try:
                    tried, content = trial.run(self._source, recipe, pathlib.Path(folder))
                    # A recipe may quantize the same layers as another.
                    if tried.sha256 not in self._contents:
                        self.trials.append(self._measured(tried, content))
                        self._contents[tried.sha256] = content
                except cli.MachineError:
                    # Another call would give another recipe.
                    raise
                except cli.UserError as error:
                    self.refused[recipe.sentence] = cli.first_line(error)

    def run(self) -> Trial | None:
        """Tries all recipes and returns the best within the budget."""
        self._try(candidates.first(self._source.dataset is not None), "Trying recipes")
        refined = list(candidates.refined(self.trials, self._allowed))
        self._try(refined, "Keeping the worst layers")
        self.trials.sort(key=lambda tried: (tried.size, tried.error))
        return candidates.best(self.trials, self._allowed)


def _kept(recipe: Recipe) -> str:
    """Returns how many layers a recipe keeps, and in what."""
    if recipe.float_layers:
        return f"{len(recipe.float_layers)} float"
    return f"{len(recipe.weights_by_layer)} int8" if recipe.weights_by_layer else ""


def _table(search: Search, chosen: Trial | None, float_size: int) -> Table:
    table = Table(box=None, pad_edge=False)
    last = [search.measure.title.replace(" ", "\n")] if search.measure else []
    for title in ("#", "recipe", "kept", "bytes", "% of\nfloat", "error %", *last):
        table.add_column(title, justify="left" if title == "recipe" else "right", vertical="bottom")
    for number, tried in enumerate(search.trials, 1):
        cells = (
            f"{'>' if tried is chosen else ''}{number}",
            # Per channel is what all have that have no blocks.
            tried.recipe.title.replace(", per channel", ""),
            _kept(tried.recipe),
            f"{tried.size:,}",
            f"{100 * tried.size / float_size:.1f}",
            f"{100 * tried.error:.3g}",
            *([] if tried.figure is None else [f"{tried.figure:.4f}"]),
        )
        table.add_row(*(Text(cell, style="bold" if tried is chosen else "") for cell in cells))
    return table


def _document(
    model: GivenModel, search: Search, chosen: Trial | None, entry_text: str
) -> dict[str, Any]:
    measure = search.measure
    return {
        "version": 1,
        "model": model.given,
        "float_bytes": len(model.content),
        "budget": _BUDGET.value,
        "figure": measure
        and {"title": measure.title, "samples": measure.samples, "float": measure.float_value},
        "trials": [
            {
                "recipe": tried.recipe.plain(),
                "bytes": tried.size,
                "error": float(f"{tried.error:.3g}"),
                "figure": tried.figure,
                "sha256": tried.sha256,
                "chosen": tried is chosen,
            }
            for tried in search.trials
        ],
        "refused": search.refused,
        "build_entry": entry_text,
    }


def _show(model: GivenModel, search: Search, chosen: Trial | None) -> None:
    console = cli.console()
    if not console.is_terminal:
        # A file or a pipe has no width at which a row would have to break.
        console.width = _UNBROKEN
    inputs = _DATASET.value or "inputs from a fixed seed"
    console.print(Text(printable(f"{model.given}, its error on {inputs}"), style="bold"))
    if search.measure:
        console.print(Text(printable(search.measure.meaning)))
    console.print(_table(search, chosen, len(model.content)))
    for line in _refusals(search):
        console.print(Text(printable(line), style="dim"))
    if model.weights == "seeded":
        console.print(Text("The weights are seeded, not trained, so these figures mean nothing."))
    console.print()


def _refusals(search: Search) -> Iterator[str]:
    for recipe, reason in search.refused.items():
        yield f"Does not fit: {recipe}: {reason}"


def _check(allowed: Budget) -> None:
    """Checks the flags before anything is built.

    Raises:
      cli.UserError: one is wrong.
    """
    if _NAME.value is not None:
        build_file.check_name(_NAME.value, "a target's name")
    dataset = _DATASET.value
    if dataset is not None and not labels.is_label(dataset):
        raise cli.UserError(
            f"--representative_dataset={dataset}: give a label that starts with //, such as"
            " //my:samples, which the BUILD entry can name."
        )
    if (_TASK.value is None) != (_EVALUATED.value is None):
        raise cli.UserError("--task and --dataset: give both, or none of them.")
    if allowed.loss is not None and _TASK.value is None:
        raise cli.UserError(
            f"--budget={_BUDGET.value}: needs a dataset on which accuracy is measured; give --task"
            " and --dataset."
        )
    if _LIMIT.value is not None and _TASK.value is None and dataset is None:
        raise cli.UserError(
            f"--limit={_LIMIT.value}: nothing is measured on samples; also give --task and"
            " --dataset, or --representative_dataset."
        )
    if _PLOT.value is not None and not _PLOT.value.endswith(".svg"):
        raise cli.UserError(f"--plot={_PLOT.value}: give a file that ends in .svg.")
    for path in (_PLOT.value, _OUTPUT.value, _BUILD_FILE.value):
        cli.check_output(path)


def _source(model: GivenModel) -> trial.Source:
    """Returns the model to quantize.

    Raises:
      cli.UserError: it is no label, or the dataset cannot be built.
    """
    if model.label is None:
        raise cli.UserError(
            f"{model.given}: is a file; give the label of a tflite_model or of a tflite_file, which"
            " the BUILD entry can name."
        )
    content = bytes(model.content)
    return trial.Source(model.path, content, model.model, model.preprocessing, _dataset())


def _figure(model: GivenModel, source: trial.Source) -> Figure | None:
    """Returns what is measured beside the error; None without a dataset for it."""
    if _TASK.value:
        return figure.accuracy(model, _TASK.value, _EVALUATED.value, _LIMIT.value)
    return figure.agreement(model, source.dataset, _LIMIT.value) if source.dataset else None


def main(argv: Sequence[str]) -> None:
    """Tries recipes, prints them, and writes the entry of the best one.

    Raises:
      cli.UserError: no recipe is within the budget.
    """
    if len(argv) != 2:
        raise cli.UserError(
            f"one model is needed, not {len(argv) - 1}; give its label, such as //models:NAME."
        )
    allowed = candidates.budget(_BUDGET.value)
    _check(allowed)
    model = model_argument.runnable(model_argument.resolve(argv[1]))
    name = _NAME.value or f"{model.name}_tuned"
    rules = _REPOSITORY.value + _RULES
    if _BUILD_FILE.value is not None:
        build_file.check(cli.callers_path(_BUILD_FILE.value), rules, entry.names(name))
    source = _source(model)
    measure = _figure(model, source)
    search = Search(source, allowed, measure)
    chosen = search.run()
    if not search.trials:
        raise cli.UserError(f"{argv[1]}: no recipe fits: {next(iter(search.refused.values()))}")
    if _PLOT.value is not None:
        title = f"Quantized forms of {model.name}" + (f", with {measure.title}" if measure else "")
        drawn = plot.draw(title, search.trials, chosen, allowed, len(model.content))
        with cli.output_file(cli.callers_path(_PLOT.value), "w") as stream:
            stream.write(drawn)
    targets: Sequence[build_file.Target] = ()
    if chosen:
        targets = entry.targets(name, argv[1], _DATASET.value, chosen, allowed)
    text = build_file.text(rules, targets) if targets else ""
    if _JSON.value:
        json.dump(_document(model, search, chosen, text), sys.stdout, indent=2)
        cli.say()
    else:
        _show(model, search, chosen)
    if chosen is None:
        least = min(search.trials, key=allowed.cost)
        figures = "" if least.figure is None else f", {measure.title} {least.figure:.4f}"
        raise cli.UserError(
            f"{argv[1]}: no recipe is within --budget={_BUDGET.value}; the nearest has"
            f" {least.size:,} bytes, an error of {100 * least.error:.3g}% of the range{figures}."
        )
    if _OUTPUT.value is not None:
        with cli.output_file(cli.callers_path(_OUTPUT.value)) as stream:
            stream.write(search.content(chosen))
    if not _JSON.value:
        cli.say(text.rstrip("\n"))
    if _BUILD_FILE.value is not None:
        build_file.add(cli.callers_path(_BUILD_FILE.value), rules, targets)


if __name__ == "__main__":
    # Not at import: this module's tests have a command line of their own.
    flags.mark_flag_as_required("budget")
    cli.run(main, positional=1)
