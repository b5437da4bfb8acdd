"""Formats the reports of many models as a table for people."""

from collections.abc import Mapping, Sequence
from typing import Any

RULE = (
    '"same bytes": canonical files without the description and CONVERSION_METADATA, which name the '
    "TensorFlow, are equal."
)
_NOTHING = "-"


def _name(report: Mapping[str, Any]) -> str:
    return report["model"].rpartition(":")[2]


def _cell(report: Mapping[str, Any], version: str) -> str:
    result = report["versions"][version]
    if "left_out" in result:
        return _NOTHING
    return result["verdict"] if "verdict" in result else f"{result['bytes']} bytes"


def _counted(differences: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} ({count})" for kind, count in differences.items())


def _where(report: Mapping[str, Any], version: str) -> str | None:
    """Returns a line about a file's differences from the baseline; None without any."""
    result = report["versions"][version]
    if not result.get("first"):
        return None
    first = result["first"]
    detail = f" ({first['detail']})" if first["detail"] else ""
    return (
        f"{_name(report)} by {version}, {result['verdict']}: {_counted(result['differences'])};"
        f" first {first['kind']} of {first['where']}: {first['left']} -> {first['right']}{detail}"
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def render(titles: Sequence[str], reports: Sequence[Mapping[str, Any]]) -> str:
    """Returns the table, with the baseline first, then a line for each file whose bytes differ."""
    versions = list(dict.fromkeys(v for report in reports for v in report["versions"]))
    rows = [["model", "converter", *versions]]
    for report in reports:
        cells = [_cell(report, version) for version in versions]
        rows.append([_name(report), report["converter"], *cells])
    lines = [f"Compared with {titles[0]}: {', '.join(titles[1:])}. {RULE}", "", *_aligned(rows)]
    where = [_where(report, version) for report in reports for version in versions]
    if any(where):
        lines += ["", *filter(None, where)]
    return "\n".join(lines) + "\n"
