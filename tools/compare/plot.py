"""Draws the error of every layer in execution order, as an SVG or an HTML page."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence

from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.page import page
from reproducible_tflite.lib.quantization_error.layer_errors import LayerError, worst_first

FORMATS = (".html", ".svg")
_FOLDER = pathlib.Path(__file__).parent
_LEFT, _WIDTH = 70.0, 880.0
# How many layers are numbered in the drawing and named below it.
_NAMED = 8
# The maximum length of a layer's name below the drawing, and in a bar's tooltip.
_NAME, _TOOLTIP = 50, 200
# Further operators share one colour, so that colours remain distinguishable.
_COLOURS = 5


@dataclasses.dataclass(frozen=True)
class _Panel:
    """One of the stacked charts: its position and its vertical axis."""

    title: str
    top: float
    height: float
    greatest: float
    ticks: Sequence[float]

    def y(self, value: float) -> float:
        part = min(max(value / self.greatest, 0.0), 1.0) if value == value else 0.0
        return round(self.top + self.height * (1 - part), 2)


def _panel(title: str, top: float, height: float, values: Sequence[float]) -> _Panel:
    """Returns a panel with an axis from 0 to a round number."""
    finite = [value for value in values if math.isfinite(value)]
    greatest = max([*finite, 1e-9])
    power = 10.0 ** math.floor(math.log10(greatest / 4))
    step = next(part * power for part in (1, 2, 5, 10) if part * power * 5 >= greatest)
    count = math.ceil(greatest / step - 1e-9)
    ticks = [float(f"{number * step:.3g}") for number in range(count + 1)]
    return _Panel(title, top, height, ticks[-1], ticks)


def _classes(layers: Sequence[LayerError]) -> dict[str, str]:
    """Returns the CSS class of each operator's colour; the most frequent have their own."""
    names = [layer.operator for layer in layers]
    order = sorted(set(names), key=lambda name: (-names.count(name), name))
    return {name: f"k{min(number, _COLOURS)}" for number, name in enumerate(order)}


def _legend(classes: dict[str, str]) -> list[tuple[str, str]]:
    """Returns the colours' CSS classes and names for the legend."""
    own = [
        (colour, printable(name)) for name, colour in classes.items() if colour != f"k{_COLOURS}"
    ]
    return [*own, (f"k{_COLOURS}", "others")] if len(classes) > _COLOURS else own


def fitted(text: str, width: int) -> str:
    """Shortens a layer's name to `width` characters; keeps its start and, longer, its end."""
    if len(text) <= width:
        return text
    start = (width - 3) // 3
    return f"{text[:start]}...{text[len(text) + 3 + start - width :]}"


def _text(layer: LayerError, width: int) -> str:
    name = f"{fitted(printable(layer.layer), width)} ({printable(layer.operator)})"
    error = f"{layer.relative_rms:.3%} of the range, {layer.sqnr:.1f} dB"
    return f"{name}: {error}, {layer.clipped:.3%} clipped"


def draw(title: str, layers: Sequence[LayerError], on_page: bool) -> str:
    """Returns the drawing.

    Args:
      title: the compared models and their inputs.
      layers: at least one, in execution order.
      on_page: whether to return an HTML page with a table instead of an SVG.
    """
    errors = _panel("RMS error, % of the range", 70, 200, [100 * x.relative_rms for x in layers])
    noise = _panel("signal to noise, dB", 320, 130, [layer.sqnr for layer in layers])
    classes = _classes(layers)
    pitch = _WIDTH / len(layers)
    order = worst_first(layers)
    ranks = {layer.place: rank for rank, layer in enumerate(order[:_NAMED], 1)}
    bars = []
    for number, layer in enumerate(layers):
        x = _LEFT + pitch * number
        bars.append(
            {
                "x": round(x, 2),
                "width": round(max(pitch * 0.8, 0.5), 2),
                "middle": round(x + pitch * 0.4, 2),
                "error": errors.y(100 * layer.relative_rms),
                "rounding": errors.y(100 * layer.rounding),
                "noise": noise.y(layer.sqnr),
                "colour": classes[layer.operator],
                "text": _text(layer, _TOOLTIP),
                "rank": ranks.get(layer.place),
            }
        )
    values = {
        "title": printable(title),
        "on_page": on_page,
        "panels": [errors, noise],
        "errors": errors,
        "noise": noise,
        "bars": bars,
        "left": _LEFT,
        "right": _LEFT + _WIDTH,
        "legend": _legend(classes),
        "named": [(rank, _text(layer, _NAME)) for rank, layer in enumerate(order[:_NAMED], 1)],
    }
    if not on_page:
        return page.load("layer_errors.svg.tpl", _FOLDER).render(values)
    rows = [_cells(layer) for layer in order]
    return page.render("layer_errors.html.tpl", _FOLDER, ("layer_errors.css",), rows=rows, **values)


def _cells(layer: LayerError) -> tuple[str, str, list[str]]:
    numbers = [
        str(layer.place),
        f"{layer.relative_rms:.3%}",
        f"{layer.rounding:.3%}",
        f"{layer.largest:.4g}",
        f"{layer.sqnr:.1f}",
        f"{layer.clipped:.3%}",
    ]
    return printable(layer.layer), printable(layer.operator), numbers
