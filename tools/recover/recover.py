"""Finds how a .tflite was made: `bazel run //tools/recover -- PUBLISHED.tflite --source=GRAPH.pb`.

From the file alone it tells the converter, the TensorFlows that fit, the quantization, and what a
recipe must state, with the evidence for each. With the trained model, it converts that under the
TensorFlows at hand, changes the settings until the fewest differences are left, and writes the
recipe as a BUILD entry.

The exit code is 0 if the published file's meaning was reached (with --rounding, also but for the
rounding of folded batch norms), or if there is no --source; 1 if differences are left, also because
the time was over; 2 after an error.

Example: bazel run //tools/recover -- detect.tflite --source=tflite_graph.pb --max_minutes=20
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import functools
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

from absl import flags

from reproducible_tflite.lib.bazel import client
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison, files
from reproducible_tflite.lib.rounding import source as rounding_source
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.mapped import Content
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.recover import (
    build_entry,
    folding,
    outcome,
    presentation,
    quantization,
    reading,
    tensorflows,
    trials,
    versions,
)
from reproducible_tflite.recover import source as sources
from reproducible_tflite.recover.search import Clock, Found, Search
from reproducible_tflite.recover.source import Source
from reproducible_tflite.recover.trials import Trial

_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of text.")
_ALL = flags.DEFINE_bool("all", False, "List all evidence and every difference.")
_TENSORFLOW = flags.DEFINE_list(
    "tensorflow", [], "The TensorFlows to try, instead of those that fit what the file says."
)
_SAMPLES = flags.DEFINE_string(
    "samples", None, "An .npz with the samples on which a quantized file's ranges were measured."
)
_STATE = flags.DEFINE_string(
    "state", None, "A folder that keeps finished trials, so that a later call does not repeat them."
)
_MAX_MINUTES = flags.DEFINE_float(
    "max_minutes", None, "Begin no trial after so many minutes.", lower_bound=0.0
)
_OF_TRIALS = ("max_minutes", "rounding", "samples", "state", "tensorflow")
_REPOSITORY = flags.DEFINE_string(
    "repository", "", "How a BUILD file names this project's repository; bazel run gives it."
)


class _Programs:
    """The converters of the TensorFlows at hand, built when they are needed first."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @functools.cache  # noqa: B019
    def program(self, version: str) -> str | None:
        return tensorflows.build(version, BAZEL_FLAG.value)

    def available(self, version: str) -> bool:
        return self.program(version) is not None

    def convert(self, trial: Trial, output: str, seconds: float) -> str | None:
        program = self.program(trial.tensorflow)
        settings = {**trial.settings, "source": self._source.path}
        return trials.run_converter(str(program), settings, output, seconds)


def _search(
    model: Model, content: Content, source: Source, state: pathlib.Path
) -> tuple[Found, trials.Laboratory]:
    fitting = versions.possible(model, content)
    if _TENSORFLOW.value:
        chosen, others = _TENSORFLOW.value, []
    else:
        chosen, fits = tensorflows.choose(fitting)
        others = [version for version in tensorflows.nearest(fitting) if version not in chosen]
        if not fits:
            cli.note(f"TensorFlow {fitting} is not at hand; the nearest are {', '.join(chosen)}.")
    minutes = _MAX_MINUTES.value
    clock = Clock(None if minutes is None else time.monotonic() + 60 * minutes)
    programs = _Programs(source)
    laboratory = trials.Laboratory(
        content, (model.source, source.given), source.sha256, state, programs.convert
    )
    search = Search(model, source, laboratory, clock, programs.available)
    return search.run(chosen, others), laboratory


def _recover(document: dict[str, Any], model: Model, content: Content) -> int:
    """Searches, shows what was found, and returns the exit code."""
    tensorflows.check(_TENSORFLOW.value)
    with client.output_folder(_STATE.value, "recover-") as state:
        source = sources.read(rounding_source.SOURCE.value, _SAMPLES.value)
        sources.check_fit(source, model)
        try:
            found, laboratory = _search(model, content, source, state)
        except KeyboardInterrupt as interrupt:
            kept = f" {_STATE.value} has the finished trials." if _STATE.value else ""
            raise KeyboardInterrupt(f"Interrupted.{kept}") from interrupt
        found, explained = folding.explained(model, found, laboratory)
    if found.best is None or found.best.comparison is None:
        raise cli.UserError(outcome.nothing(found))
    recipe = quantization.recipe(model, source.is_aware)
    lacks_samples = recipe.needs_samples and not source.samples
    entry = build_entry.text(
        build_entry.targets(
            model,
            source,
            found.best,
            recipe.kind == quantization.QUANTIZATION_AWARE,
            recipe.needs_samples,
            explained.folds[:1] if explained else [],
        ),
        _REPOSITORY.value,
    )
    if _JSON.value:
        document["recovered"] = outcome.to_dict(found, entry, explained, lacks_samples)
        sys.stdout.write(presentation.to_json(document))
    else:
        limit = None if _ALL.value else comparison.DEFAULT_LIMIT
        outcome.show(cli.console(), found, entry, lacks_samples, explained, limit)
    return int(not rounding_source.accepts(found.best.comparison))


def main(argv: Sequence[str]) -> None:
    """Prints what a file tells and, with a source, how it was made."""
    if len(argv) != 2:
        raise cli.UserError("one .tflite is needed; give PUBLISHED.tflite.")
    for name in _OF_TRIALS:
        if flags.FLAGS[name].present and not rounding_source.SOURCE.value:
            raise cli.UserError(
                f"--{name} is for trials with the trained model; name it with --source, or leave"
                f" --{name} out."
            )
    content = files.read(argv[1], ".tflite", as_map=True)
    model = reader.read(content, argv[1])
    findings = reading.findings(model, content)
    document = {
        "file": argv[1],
        "sha256": reading.sha256(content),
        "findings": [finding.to_dict() for finding in findings],
    }
    if not _JSON.value:
        presentation.show_findings(cli.console(), findings, _ALL.value)
    if rounding_source.SOURCE.value:
        sys.exit(_recover(document, model, content))
    if _JSON.value:
        sys.stdout.write(presentation.to_json(document))


if __name__ == "__main__":
    cli.run(main, positional=1, trouble=2)
