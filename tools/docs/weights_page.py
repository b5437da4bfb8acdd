"""Writes docs/weights.md with the table of what builds on published weights, and whose.

Called as `weights_page PAGE PINS OUTPUT BUILD_FILE...`: the page as it is, the pin table, the page
to write, and the BUILD files of all models.
"""

import collections
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tools.docs import blocks, build_files, markdown
from tools.lib.cli import cli

_HEADER = ("row", "licence", "sha256", "in it", "`//models:`")


def _is_pinned(row: Mapping[str, Any]) -> bool:
    return all(file["sha256"] for file in row["files"])


def _checked_by(row: Mapping[str, Any]) -> str:
    """Says what holds a row to what was published."""
    if _is_pinned(row):
        return "pinned"
    if row.get("signatures"):
        return "not published; `pin` checks every tensor"
    if any(file.get("md5") for file in row["files"]):
        return "not published; `pin` checks the md5"
    return "not published; nothing is known to check, so `pin` refuses"


def _names(models: Sequence[str]) -> str:
    return ", ".join(map(markdown.code, models)) or "–"


def block(pins: Mapping[str, Any], published: Mapping[str, build_files.Published | None]) -> str:
    """Returns the table of published weights, and what there is for how many models.

    Args:
      pins: the rows of the pin table.
      published: what each model is built from, None where nothing fits.

    Raises:
      UserError: a model names a row that the table does not have.
    """
    users = collections.defaultdict(list)
    for model, source in sorted(published.items()):
        if source and source.archive not in pins:
            raise cli.UserError(
                f"the pin table has no row {source.archive!r}, which {model} names."
            )
        users[source].append(model)
    rows = []
    for name, row in sorted(pins.items()):
        sources = sorted(
            (source for source in users if source and source.archive == name),
            key=lambda source: source.member,
        )
        for source in sources or [None]:
            member = markdown.code(source.member) if source else "–"
            models = users[source] if source else []
            licence = markdown.cell(row["licence"])
            rows.append([markdown.code(name), licence, _checked_by(row), member, _names(models)])
    rows.append(["none", "–", "–", "–", _names(users[None])])
    ready = sum(1 for source in published.values() if source and _is_pinned(pins[source.archive]))
    pinned = sum(map(_is_pinned, pins.values()))
    return (
        f"The table has {len(pins)} rows, {pinned} of them pinned. Of {len(published)} models,"
        f" {ready} build on a pinned row, {len(published) - ready - len(users[None])} on one that"
        f" has to be pinned first, and {len(users[None])} on none.\n\n"
        + markdown.table(_HEADER, rows)
    )


def main(argv: Sequence[str]) -> None:
    page, pins, output, *paths = argv[1:]
    published = {}
    for path in paths:
        targets = build_files.read(path)
        for name, target in targets.items():
            if target.rule == "tflite_model":
                published[name] = build_files.published(targets, name)
    rows = json.loads(cli.read_file(pins, "pin table"))
    text = blocks.replaced(page, block(rows, published))
    with cli.output_file(output, "w") as stream:
        stream.write(text)


if __name__ == "__main__":
    cli.run(main, positional=None)
