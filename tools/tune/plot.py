"""Draws the size and the error of every trial, as an SVG."""

import math
import pathlib
from collections.abc import Sequence

from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.page import page
from reproducible_tflite.tune.candidates import Budget, Trial

_FOLDER = pathlib.Path(__file__).parent
_LEFT, _TOP, _WIDTH, _HEIGHT = 80.0, 64.0, 560.0, 360.0
_METHODS = ("dynamic", "weight_only", "static")
# Steps between the numbers of a linear axis.
_STEPS = 4


def _decades(values: Sequence[float]) -> list[float]:
    """Returns the powers of ten that enclose values above 0."""
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _round_step(greatest: float) -> float:
    power = 10.0 ** math.floor(math.log10(greatest / _STEPS))
    return next(part * power for part in (1, 2, 5, 10) if part * power * _STEPS >= greatest)


def _figure(trial: Trial) -> str:
    return "" if trial.figure is None else f"{trial.figure:.4f}, "


def draw(
    title: str, trials: Sequence[Trial], chosen: Trial | None, allowed: Budget, float_size: int
) -> str:
    """Returns the drawing: sizes on a linear axis, errors on a logarithmic one.

    Args:
      title: the model and the inputs.
      trials: at least one, in the order of the table, by whose numbers they are named.
      chosen: the one that is drawn as chosen; None if none is.
      allowed: the budget, drawn as a line.
      float_size: the size of the model in floating point, in bytes.
    """
    sizes = [trial.size for trial in trials]
    step = _round_step(max([*sizes, float_size, allowed.size or 0]))
    widest = step * math.ceil(max([*sizes, float_size, allowed.size or 0]) / step)
    # An error of 0 is drawn on the lower edge.
    known = [trial.error for trial in trials if 0 < trial.error < math.inf]
    ticks = _decades([*known, *([allowed.error] if allowed.error else [])] or [0.01])

    def x(size: float) -> float:
        return round(_LEFT + _WIDTH * size / widest, 1)

    def y(error: float) -> float:
        part = math.log10(max(error, ticks[0]) / ticks[0]) / math.log10(ticks[-1] / ticks[0])
        return round(_TOP + _HEIGHT * (1 - min(part, 1.0)), 1)

    points = [
        {
            "x": x(trial.size),
            "y": y(trial.error),
            "number": number,
            "colour": f"k{_METHODS.index(trial.recipe.method)}",
            "chosen": trial is chosen,
            "text": f"{number}: {_figure(trial)}{printable(trial.recipe.sentence)}",
        }
        for number, trial in enumerate(trials, 1)
    ]
    return page.load("size_error.svg.tpl", _FOLDER).render(
        title=printable(title),
        points=points,
        rows=[(f"{tick * 100:g}", y(tick)) for tick in ticks],
        columns=[
            (f"{step * number / 1000:g}", x(step * number))
            for number in range(round(widest / step) + 1)
        ],
        legend=[(f"k{i}", method.replace("_", " ")) for i, method in enumerate(_METHODS)],
        limit_x=None if allowed.size is None else x(allowed.size),
        limit_y=None if allowed.error is None else y(allowed.error),
        float_x=x(float_size),
        left=_LEFT,
        right=_LEFT + _WIDTH,
        top=_TOP,
        bottom=_TOP + _HEIGHT,
    )
