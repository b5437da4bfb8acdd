"""Renders the catalogue, a page with a table of all models."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.page import kinds, page

_HERE = pathlib.Path(__file__).parent
# The page's titles by the attribute of a row.
_FILTERS = {
    "task": "Task",
    "input": "Input",
    "weights": "Weights",
    "arithmetic": "Computes in",
}
_ORDERS = {
    "name": "Model",
    "task": "Task",
    "size": "Size",
    "parameters": "Parameters",
    "operators": "Operators",
    "decibels": "To float",
    "golden": "Digest",
}
_SPARK_WIDTH, _SPARK_HEIGHT = 96, 24
_MIX_WIDTH = 120


def _spark(heights: Sequence[int]) -> str:
    width = _SPARK_WIDTH // max(1, len(heights))
    steps = "".join(f"V{_SPARK_HEIGHT - height}h{width}" for height in heights)
    return f"M0 {_SPARK_HEIGHT}{steps}V{_SPARK_HEIGHT}z"


def _where(heights: Sequence[int]) -> str:
    """Describes the sparkline in words."""
    total = sum(heights)
    if not total:
        return "no constants"
    thirds = [
        sum(heights[place * len(heights) // 3 : (place + 1) * len(heights) // 3])
        for place in range(3)
    ]
    shares = [round(100 * third / total) for third in thirds]
    return f"about {shares[0]} % in the first third of the network, {shares[1]} %, {shares[2]} %"


def _mix(mix: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    total = sum(count for _, count in mix)
    parts = []
    start = 0
    for kind, count in mix:
        parts.append(
            {
                "kind": kinds.number(kind),
                "x": round(start * _MIX_WIDTH / total, 1),
                "width": round(count * _MIX_WIDTH / total, 1),
                "title": f"{kind}: {count}",
            }
        )
        start += count
    return parts


def html(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns the page of models' rows, see `row` in tools/steps/card/facts.py."""
    ordered = sorted(rows, key=lambda row: row["name"])
    return page.render(
        "catalogue.html.tpl",
        folder=_HERE,
        styles=["catalogue.css"],
        scripts=["catalogue.js"],
        rows=[
            {
                **row,
                "layers_path": _spark(row["layers"]),
                "layers_text": _where(row["layers"]),
                "mix_parts": _mix(row["mix"]),
                "mix_text": ", ".join(f"{kind} {count}" for kind, count in row["mix"]),
            }
            for row in ordered
        ],
        filters=[
            (key, title, sorted({row[key] for row in ordered})) for key, title in _FILTERS.items()
        ],
        orders=list(_ORDERS.items()),
        kind_names=kinds.NAMES,
        synthetic=sum(row["weights"] == "seeded" for row in ordered),
    )
