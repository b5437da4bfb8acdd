"""Looks for the conversion that leaves the fewest differences from a published file."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison, nearness
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.recover import quantization, recipes
from reproducible_tflite.recover.source import Source
from reproducible_tflite.recover.trials import Laboratory, Result, Trial

# The longest that one conversion may take, in seconds.
_SECONDS = 900.0


@dataclasses.dataclass
class Clock:
    """A limit of time.

    Attributes:
      ends: when it is over, on `time.monotonic`; None for no limit.
    """

    ends: float | None

    def left(self) -> float:
        """Returns the seconds that a trial may take; none if the time is over."""
        if self.ends is None:
            return _SECONDS
        return max(0.0, min(_SECONDS, self.ends - time.monotonic()))


@dataclasses.dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
      best: the result with the fewest differences; None if nothing ran.
      results: all, in the order in which they were run.
      complete: whether everything was tried that was to be; not if the time was over.
    """

    best: Result | None
    results: Sequence[Result]
    complete: bool


class _Over(Exception):
    """The time is over, or nothing is left to find."""


class Search:
    """A search; `run` carries it out."""

    def __init__(
        self,
        model: Model,
        source: Source,
        laboratory: Laboratory,
        clock: Clock,
        available: Callable[[str], bool],
    ) -> None:
        """Prepares a search.

        Args:
          model: the published file.
          source: its source.
          laboratory: runs the trials.
          clock: limits the time.
          available: returns whether a TensorFlow can be had.
        """
        self._model = model
        self._source = source
        self._laboratory = laboratory
        self._clock = clock
        self._available = available
        self._results: list[Result] = []
        self._timed_out = False
        recipe = quantization.recipe(model, source.is_aware)
        self._lacks_samples = recipe.needs_samples and not source.samples

    def _best(self) -> Result | None:
        return min(self._results, key=lambda result: result.rank, default=None)

    def _check_time(self) -> None:
        if not self._clock.left():
            self._timed_out = True
            raise _Over

    def _try(self, tensorflow: str, settings: recipes.Settings) -> Result | None:
        """Runs a trial; returns None if it was run before, or its TensorFlow is not there."""
        trial = Trial(tensorflow, settings)
        if any(result.trial == trial for result in self._results):
            return None
        if not self._laboratory.knows(trial):
            # To get a TensorFlow may take longer than many trials.
            self._check_time()
            if not self._available(tensorflow):
                return None
            self._check_time()
        cli.note(f"trial {len(self._results) + 1}: {trial}")
        result = self._laboratory.run(trial, self._clock.left())
        self._results.append(result)
        cli.note(f"  {result}")
        if result.verdict == comparison.SAME_BYTES or self._is_as_near_as_possible(result):
            raise _Over
        return result

    def _is_as_near_as_possible(self, best: Result) -> bool:
        """Returns whether only numbers are left that no setting decides.

        These are the last bits of folded batch norms, and scales if nobody has the samples.
        """
        if best.comparison is None:
            return False
        differences = best.comparison.differences
        if best.verdict == comparison.SAME_GRAPH and self._lacks_samples:
            return all(
                nearness.depends_on_samples(row) or nearness.is_last_bits(row)
                for row in differences
            )
        return best.verdict == comparison.SAME_BUT_FOR_ROUNDING and not best.left[1]

    def _refine(self) -> None:
        """Changes one thing of the best settings after another, as long as that helps."""
        while best := self._best():
            settings = best.trial.settings
            for near in recipes.neighbours(self._model, self._source, settings):
                result = self._try(best.trial.tensorflow, near)
                if result and result.rank < best.rank:
                    break
            else:
                return

    def run(self, tensorflows: Sequence[str], others: Iterable[str]) -> Found:
        """Tries what the evidence proposes under each TensorFlow, and refines the best.

        Args:
          tensorflows: the versions to begin with, the likeliest first.
          others: further ones, to try in turn if none of these can be had.
        """
        try:
            for settings in recipes.first(self._model, self._source):
                for version in tensorflows:
                    self._try(version, settings)
            if not self._results:
                for version in others:
                    if self._try(version, recipes.first(self._model, self._source)[0]):
                        break
            self._refine()
            if best := self._best():
                for version in tensorflows:
                    self._try(version, dict(best.trial.settings))
        except _Over:
            pass
        return Found(self._best(), self._results, not self._timed_out)
