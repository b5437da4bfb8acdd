"""Shows the report on a cache: on a terminal, and as Markdown for CI."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from reproducible_tflite.lib.bazel import labels, steps

Document = Mapping[str, Any]
_NUMBERS = ("hits", "misses", "MB down", "MB to upload", "s saved", "s of misses")
_MOST_MISSES = 40
# The other columns have numbers.
_TEXTS = ("model", "step", "missed", "reason")


def megabytes(count: int) -> str:
    """Formats bytes as megabytes (10^6 bytes)."""
    return f"{count / 1e6:.1f}"


def seconds(value: float | None, unknown: int) -> str:
    """Formats seconds: "?" if none are known, with "+?" appended if some are unknown."""
    if value is None:
        return "?" if unknown else "0.0"
    return f"{value:.1f}" + (" +?" if unknown else "")


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        str(row["hits"]),
        str(row["misses"]),
        megabytes(row["downloaded_bytes"]),
        megabytes(row["to_upload_bytes"]),
        seconds(row["seconds_saved"], row["hits_of_unknown_seconds"]),
        seconds(row["seconds_of_misses"], row["misses_of_unknown_seconds"]),
    ]


def models_table(document: Document) -> tuple[list[str], list[list[str]]]:
    """Returns the header and rows of hits by model and step: "1/2" is one hit of two actions."""
    named = [row["name"] for row in document["steps"] if row["name"] in steps.NAMES]
    columns = [*named, "other"] if len(named) < len(document["steps"]) else named
    rows = []
    for model in document["models"]:
        counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
        for step, count in model["steps"].items():
            column = counts[step if step in named else "other"]
            column[0] += count["hits"]
            column[1] += count["hits"] + count["misses"]
        cells = [f"{counts[c][0]}/{counts[c][1]}" if counts[c][1] else "" for c in columns]
        rows.append([model["name"].removeprefix("//models/"), *cells, *_cells(model)])
    return ["model", *columns, *_NUMBERS], rows


def steps_table(document: Document) -> tuple[list[str], list[list[str]]]:
    """Returns the header and rows of hits, bytes and seconds by step, and their totals."""
    rows = [[row["name"], *_cells(row)] for row in document["steps"]]
    return ["step", *_NUMBERS], [*rows, ["all", *_cells(document["totals"])]]


def misses_table(document: Document) -> tuple[list[str], list[list[str]]]:
    """Returns the header and rows of misses with a reason of their own, most followers first.

    Of many rows, the last one says how many are left out.
    """
    followers = collections.Counter(
        row["reason"]["cause"] for row in _missed(document) if row["reason"]["kind"] == "follows"
    )
    # The first action that differs from the other build may also be a hit.
    roots = {row["name"]: row["reason"] for row in _missed(document)}
    rows = [
        [name, reason["text"], str(followers.pop(name, 0))]
        for name, reason in roots.items()
        if reason["kind"] != "follows"
    ]
    rows += [
        [name, "a hit, made from other inputs than in the other build", str(count)]
        for name, count in followers.items()
    ]
    rows.sort(key=lambda row: -int(row[2]))
    if left_out := rows[_MOST_MISSES:]:
        rows = [*rows[:_MOST_MISSES], [f"and {len(left_out)} more", "--format=json has all", ""]]
    return ["missed", "reason", "others that follow"], rows


def _missed(document: Document) -> Sequence[Mapping[str, Any]]:
    return [row for row in document["actions"] if row["reason"]]


def headline(document: Document) -> str:
    """Returns the report's totals in one sentence."""
    totals = document["totals"]
    share = 100 * totals["hits"] / totals["actions"] if totals["actions"] else 0
    text = (
        f"{totals['hits']} of {totals['actions']} actions came from the cache ({share:.0f} %), "
        f"{megabytes(totals['downloaded_bytes'])} MB; {totals['misses']} ran, "
        f"{megabytes(totals['to_upload_bytes'])} MB to upload; "
    )
    if totals["seconds_saved"] is None:
        return text + ("no seconds saved." if not totals["hits"] else "seconds saved: unknown.")
    text += f"{totals['seconds_saved']:.1f} s of running saved"
    unknown = totals["hits_of_unknown_seconds"]
    return text + (f", not counting hits of unknown duration ({unknown})." if unknown else ".")


def _advice(document: Document) -> list[str]:
    lines = []
    if not document["compared"]:
        lines.append(
            "Why actions were missed and how much was saved: give the log of the build that filled "
            "the cache with --against."
        )
    elif document["totals"]["hits_of_unknown_seconds"]:
        lines.append("?: not known: these were hits in the other build too, or made other bytes.")
    for row in document["disagreements"]:
        paths = ", ".join(output["path"] for output in row["outputs"])
        if row["result"] == "hit":
            program, answer = "//tools/cache:verify", "tells whether it is wrong"
            source = "the cache served"
        else:
            program, answer = "//tools/audit", "tells what they follow"
            source = "it made"
        lines.append(
            f"OTHER BYTES: {row['name']}: its inputs are those of the other build, but {source} "
            f"other bytes than the other build made: {paths}; `bazel run {labels.own(program)}` "
            f"{answer}."
        )
    return lines


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for column in header:
        justify = "left" if column in _TEXTS else "right"
        table.add_column(column, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def show(document: Document, console: Console) -> None:
    """Prints the report as tables."""
    console.print(_table("Hits of all actions, by model and step", *models_table(document)))
    title = "By step; what several models share counts once"
    console.print(_table(title, *steps_table(document)))
    if document["compared"] and document["totals"]["misses"]:
        console.print(_table("Why actions were missed", *misses_table(document)))
    for line in (headline(document), *_advice(document), *document["notes"]):
        console.print(line, soft_wrap=True)


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        # A line's end or a bar would end the cell, and a tag would be read as HTML.
        joined = (" ".join(cell.split()) for cell in cells)
        safe = (cell.replace("|", "\\|").replace("<", "&lt;") for cell in joined)
        return f"| {' | '.join(safe)} |"

    ruler = ["---", *["---:"] * (len(header) - 1)]
    return [line(header), line(ruler), *map(line, rows), ""]


def to_markdown(document: Document) -> str:
    """Returns the report as GitHub's Markdown."""
    lines = ["## Remote cache", "", headline(document), ""]
    lines += [f"> {line}\n" for line in _advice(document)]
    lines += _markdown_table(*steps_table(document))
    if document["compared"] and document["totals"]["misses"]:
        lines += ["### Why actions were missed", "", *_markdown_table(*misses_table(document))]
    lines += ["<details><summary>Hits by model and step</summary>", ""]
    lines += _markdown_table(*models_table(document))
    lines += ["</details>", "", *(f"- {note}" for note in document["notes"])]
    return "\n".join(lines) + "\n"
