"""Formats differences as text in aligned columns."""

import collections
import os
from collections.abc import Iterator, Sequence

from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.meaning import nearness, rounding
from reproducible_tflite.lib.meaning.difference import Difference

SAME_GRAPH = "same graph, other weights"
DEFAULT_LIMIT = 10
COLUMNS = ("kind", "where", "left", "right", "detail")
_SIDE = 40
_WIDTHS = (22, 36, _SIDE, _SIDE, None)


def _cut(cell: str, width: int | None, start: int = 0) -> str:
    """Returns a cell from a character on, with dots where text is left out at either end."""
    before, rest = "..." if start else "", cell[start:]
    if width is None or len(before + rest) <= width:
        return before + rest
    return f"{before}{rest[: width - len(before) - 3]}..."


def _start(left: str, right: str) -> int:
    """Returns where two cells should start, so that their first difference is visible."""
    common = len(os.path.commonprefix((left, right)))
    longer = max(len(left), len(right))
    if left == right or longer <= _SIDE or common < _SIDE // 2:
        return 0
    # Near the end, show as much of the text before the difference as fits.
    return min(common - _SIDE // 3, longer - (_SIDE - len("...")))


def _fitted(row: tuple[str, ...]) -> list[str]:
    """Returns a row's cells cut to their widths; left and right start at the same character."""
    start = _start(*row[2:4])
    return list(map(_cut, row, _WIDTHS, (0, 0, start, start, 0)))


def rows(differences: Sequence[Difference], limit: int | None) -> Iterator[tuple[str, ...]]:
    """Yields rows of the cells of `COLUMNS`.

    Args:
      differences: in the order of the rows.
      limit: the maximum number of rows per kind, before a row with the number of the others; None
        for all.
    """
    counts = collections.Counter(difference.kind for difference in differences)
    listed: collections.Counter[str] = collections.Counter()
    for difference in differences:
        kind = difference.kind
        listed[kind] += 1
        if limit is None or listed[kind] <= limit:
            cells = (difference.left, difference.right)
            texts = (difference.where, *cells, difference.detail)
            yield (kind, *map(printable, texts))
        elif listed[kind] == limit + 1:
            yield (kind, f"... and {counts[kind] - limit} more", "", "", "")


def near(verdict: str, differences: Sequence[Difference]) -> list[str]:
    """Returns lines that say how near the numbers of two files of the same graph are."""
    return nearness.lines(differences) if verdict == SAME_GRAPH else []


def summary(verdict: str, differences: Sequence[Difference]) -> str:
    """Returns the verdict with the number of differences of each kind."""
    counts = collections.Counter(difference.kind for difference in differences)
    kinds = ", ".join(f"{kind} ({count})" for kind, count in counts.items())
    if verdict == rounding.SAME_BUT_FOR_ROUNDING:
        verdict += f" ({rounding.extent(differences).text()})"
    return f"{verdict}: {kinds}" if kinds else verdict


def render(
    verdict: str, names: tuple[str, str], differences: Sequence[Difference], limit: int | None
) -> str:
    """Returns the names, the verdict and aligned columns of the differences; see `rows`."""
    lines = [f"left:  {names[0]}", f"right: {names[1]}", summary(verdict, differences)]
    lines += near(verdict, differences)
    cells = [COLUMNS, *rows(differences, limit)]
    if len(cells) > 1:
        cells = [_fitted(row) for row in cells]
        widths = [max(len(row[column]) for row in cells) for column in range(len(COLUMNS))]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
    return "\n".join(lines) + "\n"
