"""Which recipes are tried, and which one is chosen: a search that always goes the same way."""

import dataclasses
import math
import re
from collections.abc import Iterator, Sequence

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.quantization_recipe import recipe as recipes
from reproducible_tflite.lib.quantization_recipe.recipe import Recipe

_NO_DATASET = (
    Recipe("dynamic"),
    Recipe("weight_only"),
    Recipe("dynamic", "int4", other_weights="int8"),
    Recipe("weight_only", "int4", other_weights="int8"),
    Recipe("dynamic", "int4", granularity="blockwise", block_size=32, other_weights="int8"),
)
_WITH_DATASET = (
    Recipe("static", activations="int8"),
    Recipe("static", activations="int16"),
)
# How many of the worst layers are kept in floating point, or in int8.
_KEPT = (1, 2, 4)
_UNITS = {"b": 1, "kb": 1000, "mb": 10**6, "kib": 1 << 10, "mib": 1 << 20}
_BUDGET = re.compile(r"(accuracy ?- ?)?([0-9]*\.?[0-9]+) ?(%|[a-z]*)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a model may cost; all but one are None.

    Attributes:
      error: the largest RMS error of an output, as a part of its range.
      size: the largest size of the file, in bytes.
      loss: the largest loss of accuracy, as a part of the float model's; with it, an error must be
        one that a build allows by default.
    """

    error: float | None = None
    size: int | None = None
    loss: float | None = None

    def cost(self, trial: "Trial") -> float:
        """Returns what a trial takes of the budget."""
        if self.size is not None:
            return trial.size
        return trial.error if self.loss is None else trial.loss

    def allows(self, trial: "Trial") -> bool:
        """Returns whether a trial is within the budget."""
        if self.loss is not None and trial.error > trial.recipe.maximum_error:
            return False
        given = (self.error, self.size, self.loss)
        return all(limit is None or self.cost(trial) <= limit for limit in given)

    def rank(self, trial: "Trial") -> tuple[float, float]:
        """Returns by what the least trial is the best: what the budget leaves free comes first."""
        pair = (trial.size, trial.error)
        return pair if self.size is None else pair[::-1]


@dataclasses.dataclass(frozen=True)
class Trial:
    """A recipe that was tried.

    Attributes:
      recipe: the recipe.
      size: the size of the canonical file, in bytes.
      error: the largest RMS error of its outputs, as a part of the output's range.
      worst: the names of the layers in which the error grows, the most first.
      sha256: the digest of the canonical file.
      float_operators: the operators that a static recipe leaves in floating point.
      figure: its accuracy or agreement, see `figure.Figure`; None if neither is measured.
      loss: by how much its figure is less than the float model's, as a part of that.
    """

    recipe: Recipe
    size: int
    error: float
    worst: Sequence[str] = ()
    sha256: str = ""
    float_operators: Sequence[str] = ()
    figure: float | None = None
    loss: float = 0.0


def budget(text: str) -> Budget:
    """Reads a budget: "2%" is an error, "300kB" or "1MiB" a size, "accuracy-1%" a loss.

    Raises:
      cli.UserError: it is none of these, or an error or a loss of 100% or more.
    """
    match = _BUDGET.fullmatch(text.strip())
    if match and (match[1] or float(match[2]) > 0):
        number, unit = float(match[2]), match[3].lower()
        part = number / 100 if unit == "%" else number
        # Anything is within a whole, so "300" is a size without its unit, and "accuracy-5" lacks %.
        if unit in ("", "%") and part < 1:
            return Budget(loss=part) if match[1] else Budget(error=part)
        if unit in _UNITS and not match[1] and math.isfinite(number):
            return Budget(size=int(number * _UNITS[unit]))
    raise cli.UserError(
        f"--budget={text}: give one of three: the largest error of an output, as a part of its"
        " range and less than all of it, such as 0.02 or 2%; the largest size of the file, such as"
        " 300kB or 1MiB; or the largest loss of accuracy, as a part of the float model's, such as"
        " accuracy-1%."
    )


def first(has_dataset: bool) -> Sequence[Recipe]:
    """Returns the recipes to try first; those that measure ranges need a dataset."""
    return (*_NO_DATASET, *(_WITH_DATASET if has_dataset else ()))


def refined(trials: Sequence[Trial], allowed: Budget) -> Iterator[Recipe]:
    """Yields recipes that keep the worst layers of earlier trials in floating point, or in int8.

    That makes a file larger and its error smaller. So with a largest error or loss, these are
    recipes that miss it, and with a largest size those that leave room.
    """
    for trial in sorted(trials, key=lambda trial: (trial.size, trial.error)):
        if allowed.allows(trial) == (allowed.size is None):
            continue
        for count in _KEPT:
            # One at least stays quantized.
            if count < len(trial.worst):
                names = sorted(trial.worst[:count])
                patterns = tuple(recipes.pattern_of(name) for name in names)
                if trial.recipe.weights == "int4":
                    more = dict.fromkeys(patterns, "int8")
                    yield dataclasses.replace(trial.recipe, weights_by_layer=more)
                yield dataclasses.replace(trial.recipe, float_layers=patterns)


def best(trials: Sequence[Trial], allowed: Budget) -> Trial | None:
    """Returns the smallest trial within an error or a loss, or the most exact within a size.

    None if no trial is within the budget; of equal ones, the first.
    """
    within = [trial for trial in trials if allowed.allows(trial)]
    return min(within, key=allowed.rank, default=None)
