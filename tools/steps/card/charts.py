"""The numbers behind the drawings: tiles, bars and paths, in whole units of their drawings."""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tools.lib.page import kinds
from tools.steps.card import treemap

MAP_WIDTH, MAP_HEIGHT = 1000, 440
# More tiles than these are too small to see.
_MOST_TILES = 80
_GAP = 2
# An average character's width and a line's height in a tile, in the map's units.
_CHARACTER, _LINE = 8.8, 17
# Parts of a name that nearly every layer has.
_COMMON_END = re.compile(r"(BiasAdd|Relu6?|add_fold|Conv2D|MatMul|add|Identity|depthwise)\d*(;.*)?")

HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 128, 32
RANGE_WIDTH = 240
# Values of a range's drawing that get a mark.
_MARKS = (-1000, -100, -10, -1, 0, 1, 10, 100, 1000)
# From here on the drawing is logarithmic.
_LINEAR = 0.1

SPARKS = 24


@dataclasses.dataclass(frozen=True)
class Tile:
    """A layer in the treemap; text is what fits."""

    x: float
    y: float
    width: float
    height: float
    kind: int
    title: str
    lines: tuple[str, ...]


def name_lines(name: str, room: int, most: int) -> tuple[str, ...]:
    """Returns the end of a layer's name in lines.

    Args:
      name: a path of parts.
      room: how many characters a line takes.
      most: how many lines there may be.

    Returns:
      Its last parts, without those that only say which kernel it ends with; what is longer than a
      line is cut.
    """
    parts = name.partition(";")[0].split("/")
    while len(parts) > 1 and _COMMON_END.fullmatch(parts[-1]):
        parts.pop()
    lines = [parts.pop()]
    while parts:
        part = parts.pop()
        if len(part) + 1 + len(lines[0]) <= room:
            lines[0] = f"{part}/{lines[0]}"
        elif len(lines) < most and len(part) < room:
            lines.insert(0, part + "/")
        else:
            break
    return tuple(line if len(line) <= room else line[: room - 1] + "…" for line in lines)


def tiles(layers: Sequence[Mapping[str, Any]], size_text: Any) -> list[Tile]:
    """Returns the treemap of a model's layers.

    Args:
      layers: each with "name", "operator" and "size", its bytes.
      size_text: a function that returns bytes for people.
    """
    ordered = sorted(layers, key=lambda layer: -layer["size"])
    shown, rest = ordered[:_MOST_TILES], ordered[_MOST_TILES:]
    if rest:
        others = sum(layer["size"] for layer in rest)
        shown = [*shown, {"name": f"{len(rest)} smaller layers", "operator": "", "size": others}]
        shown.sort(key=lambda layer: -layer["size"])
    placed = treemap.squarify([layer["size"] for layer in shown], MAP_WIDTH, MAP_HEIGHT)
    found = []
    for layer, tile in zip(shown, placed, strict=True):
        width, height = max(0.5, tile.width - _GAP), max(0.5, tile.height - _GAP)
        room = int((width - 12) / _CHARACTER)
        said = size_text(layer["size"])
        lines = ()
        if height >= _LINE * 2.6 and room >= max(6, len(said)):
            lines = (*name_lines(layer["name"], room, int(height / _LINE - 1.6)), said)
        elif height >= _LINE * 1.4 and room >= len(said):
            lines = (said,)
        found.append(
            Tile(
                x=round(tile.x, 1),
                y=round(tile.y, 1),
                width=round(width, 1),
                height=round(height, 1),
                kind=kinds.number(kinds.of(layer["operator"])),
                title=f"{layer['name']}: {layer['operator']} {said}".replace(":  ", ": "),
                lines=lines,
            )
        )
    return found


def histogram_path(bins: Sequence[int]) -> str:
    """Returns a histogram as the path of an area, the fullest bin as high as the drawing."""
    most = max(bins, default=0)
    width = HISTOGRAM_WIDTH // max(1, len(bins))
    path = f"M0 {HISTOGRAM_HEIGHT}"
    for count in bins:
        # What is there is seen.
        height = max(1, round(count * HISTOGRAM_HEIGHT / most)) if count else 0
        path += f"V{HISTOGRAM_HEIGHT - height}h{width}"
    return path + f"V{HISTOGRAM_HEIGHT}z"


def _stretched(value: float) -> float:
    """A symmetric logarithm: linear around 0, so that it can hold ranges of any size."""
    return math.copysign(math.log10(1 + abs(value) / _LINEAR), value)


@dataclasses.dataclass(frozen=True)
class Axis:
    """The common axis of several ranges."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Returns where a value is, in units of the drawing."""
        low, high = _stretched(self.low), _stretched(self.high)
        return round((_stretched(value) - low) / (high - low) * RANGE_WIDTH, 1)

    @property
    def marks(self) -> tuple[tuple[float, int], ...]:
        """Where the axis has marks, with their values."""
        return tuple((self.at(v), v) for v in _MARKS if self.low <= v <= self.high)


def axis(ranges: Sequence[tuple[float, float]]) -> Axis:
    """Returns the axis that all ranges and 0 fit on."""
    low = min((low for low, _ in ranges), default=0.0)
    high = max((high for _, high in ranges), default=0.0)
    return Axis(min(0.0, low), max(0.0, high, min(0.0, low) + 1e-6))


def spark(sizes: Sequence[int]) -> list[int]:
    """Returns sizes along a network in `SPARKS` parts, the largest 24 units high."""
    parts = [0] * SPARKS
    for place, size in enumerate(sizes):
        parts[place * SPARKS // len(sizes)] += size
    most = max(parts, default=0)
    return [max(1, round(part * 24 / most)) if part else 0 for part in parts]
