"""Squarified treemaps (Bruls, Huizing, van Wijk, "Squarified treemaps", 2000)."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Tile:
    """A rectangle, in the units of the map."""

    x: float
    y: float
    width: float
    height: float


def _worst(row: Sequence[float], side: float) -> float:
    """Returns the largest aspect ratio of the tiles in a row along a side."""
    total = sum(row)
    return max(side * side * max(row) / total**2, total**2 / (side * side * min(row)))


def squarify(sizes: Sequence[float], width: float, height: float) -> list[Tile]:
    """Returns a tile for each size; together they fill the map, and each is close to a square.

    Args:
      sizes: positive numbers, the largest first.
      width: of the map.
      height: of the map.
    """
    if not sizes:
        return []
    unit = width * height / sum(sizes)
    areas = [size * unit for size in sizes]
    tiles: list[Tile] = []
    x = y = 0.0
    start = 0
    while start < len(areas):
        side = min(width, height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(
            areas[start:end], side
        ):
            end += 1
        row = areas[start:end]
        depth = sum(row) / side
        offset = 0.0
        for area in row:
            length = area / depth
            upright = height <= width
            tiles.append(
                Tile(x, y + offset, depth, length)
                if upright
                else Tile(x + offset, y, length, depth)
            )
            offset += length
        if height <= width:
            x, width = x + depth, width - depth
        else:
            y, height = y + depth, height - depth
        start = end
    return tiles
