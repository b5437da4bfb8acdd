"""Computes the drawings of a card: tiles, bars and paths, in the units of each drawing."""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.page import kinds
from reproducible_tflite.steps.card import treemap

MAP_WIDTH, MAP_HEIGHT = 1000, 440
# Further tiles would be too small to see.
_MOST_TILES = 80
_GAP = 2
# The width of an average character and the height of a line in a tile, in the map's units.
_CHARACTER, _LINE = 8.8, 17
# Parts of a name that nearly every layer has.
_COMMON_END = re.compile(r"(BiasAdd|Relu6?|add_fold|Conv2D|MatMul|add|Identity|depthwise)\d*(;.*)?")

HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 128, 32
RANGE_WIDTH = 240
# Values with a mark in the drawing of a range.
_MARKS = (-1000, -100, -10, -1, 0, 1, 10, 100, 1000)
# Beyond this absolute value, the drawing is logarithmic.
_LINEAR = 0.1

SPARKS = 24


@dataclasses.dataclass(frozen=True)
class Tile:
    """A layer in the treemap.

    Attributes:
      x: of the top left corner, in the map's units.
      y: of the top left corner.
      width: in the map's units.
      height: in the map's units.
      kind: the number of the operator's group, see `kinds.number`.
      title: the layer's name, operator and size.
      lines: the lines of text that fit into the tile.
    """

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
      name: parts separated by slashes.
      room: the maximum length of a line in characters.
      most: the maximum number of lines.

    Returns:
      The last parts of the name, without trailing ones that most layers have. Longer parts are cut.
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
      layers: each with "name", "operator" and "size" in bytes.
      size_text: a function that formats a size in bytes for people.
    """
    ordered = sorted(layers, key=lambda layer: -layer["size"])
    shown, rest = ordered[:_MOST_TILES], ordered[_MOST_TILES:]
    if rest:
        others = sum(layer["size"] for layer in rest)
        shown = [*shown, {"name": f"{len(rest)} smaller layers", "operator": "", "size": others}]
        shown.sort(key=lambda layer: -layer["size"])
    rectangles = treemap.squarify([layer["size"] for layer in shown], MAP_WIDTH, MAP_HEIGHT)
    drawn = []
    for layer, tile in zip(shown, rectangles, strict=True):
        width, height = max(0.5, tile.width - _GAP), max(0.5, tile.height - _GAP)
        room = int((width - 12) / _CHARACTER)
        size = size_text(layer["size"])
        lines = ()
        if height >= _LINE * 2.6 and room >= max(6, len(size)):
            lines = (*name_lines(layer["name"], room, int(height / _LINE - 1.6)), size)
        elif height >= _LINE * 1.4 and room >= len(size):
            lines = (size,)
        drawn.append(
            Tile(
                x=round(tile.x, 1),
                y=round(tile.y, 1),
                width=round(width, 1),
                height=round(height, 1),
                kind=kinds.number(kinds.of(layer["operator"])),
                title=f"{layer['name']}: {layer['operator']} {size}".replace(":  ", ": "),
                lines=lines,
            )
        )
    return drawn


def histogram_path(bins: Sequence[int]) -> str:
    """Returns a histogram as the path of an area; the fullest bin is as high as the drawing."""
    most = max(bins, default=0)
    width = HISTOGRAM_WIDTH // max(1, len(bins))
    path = f"M0 {HISTOGRAM_HEIGHT}"
    for count in bins:
        # Every bin that is not empty is visible.
        height = max(1, round(count * HISTOGRAM_HEIGHT / most)) if count else 0
        path += f"V{HISTOGRAM_HEIGHT - height}h{width}"
    return path + f"V{HISTOGRAM_HEIGHT}z"


def _stretched(value: float) -> float:
    """Returns a symmetric logarithm, linear around 0, for ranges of any size."""
    return math.copysign(math.log10(1 + abs(value) / _LINEAR), value)


@dataclasses.dataclass(frozen=True)
class Axis:
    """The common axis of several ranges, from `low` to `high`."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Returns the place of a value, in units of the drawing."""
        low, high = _stretched(self.low), _stretched(self.high)
        return round((_stretched(value) - low) / (high - low) * RANGE_WIDTH, 1)

    @property
    def marks(self) -> tuple[tuple[float, int], ...]:
        """The places of the axis's marks, with their values."""
        return tuple((self.at(v), v) for v in _MARKS if self.low <= v <= self.high)


def axis(ranges: Sequence[tuple[float, float]]) -> Axis:
    """Returns an axis that covers all ranges and 0."""
    low = min((low for low, _ in ranges), default=0.0)
    high = max((high for _, high in ranges), default=0.0)
    return Axis(min(0.0, low), max(0.0, high, min(0.0, low) + 1e-6))


def spark(sizes: Sequence[int]) -> list[int]:
    """Returns the sizes along a network summed in `SPARKS` parts, with the largest as 24."""
    parts = [0] * SPARKS
    for place, size in enumerate(sizes):
        parts[place * SPARKS // len(sizes)] += size
    most = max(parts, default=0)
    return [max(1, round(part * 24 / most)) if part else 0 for part in parts]
