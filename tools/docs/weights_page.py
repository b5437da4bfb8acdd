"""Writes docs/weights.md with the table of what builds on published weights, and whose.

Called as `weights_page PAGE PINS OUTPUT BUILD_FILE...`: the page as it is, the pin table, the page
to write, and the BUILD files of all models.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.docs import blocks, build_files, markdown
from reproducible_tflite.lib.cli import cli

_HEADER = ("row", "`//models:`", "pinned by sha256", "licence")


def _is_pinned(row: Mapping[str, Any]) -> bool:
    return all(file["sha256"] for file in row["files"])


def _pinned(row: Mapping[str, Any]) -> str:
    """Says whether a row is pinned, and what `pin` can do about it."""
    if _is_pinned(row):
        return "yes"
    if row.get("signatures"):
        return "no; `pin` checks every tensor"
    if any(file.get("md5") for file in row["files"]):
        return "no; `pin` checks the md5"
    return "no; nothing is known to check"


def _models(users: Mapping[str, Sequence[str]]) -> str:
    """Names the models of a row, by what is taken of it if that is more than one thing."""
    lines = [
        ", ".join(map(markdown.code, models))
        + (f" from {markdown.code(member)}" if len(users) > 1 else "")
        for member, models in sorted(users.items())
    ]
    return "<br>".join(lines) or "–"


def block(pins: Mapping[str, Any], published: Mapping[str, build_files.Published | None]) -> str:
    """Returns the table of published weights, and what there is for how many models.

    Args:
      pins: the rows of the pin table.
      published: what each model is built from, None where nothing fits.

    Raises:
      UserError: a model names a row that the table does not have.
    """
    users: dict[str, dict[str, list[str]]] = {name: {} for name in pins}
    sources = {model: source for model, source in published.items() if source and source.archive}
    for model, source in sorted(sources.items()):
        if source.archive not in pins:
            raise cli.UserError(
                f"the pin table has no row {source.archive!r}, which {model} names."
            )
        users[source.archive].setdefault(source.member, []).append(model)
    rows = [
        [markdown.code(name), _models(users[name]), _pinned(row), markdown.cell(row["licence"])]
        for name, row in sorted(pins.items())
    ]
    always = "".join(
        f" In every build, {markdown.code(model)} has the weights of {source.member}."
        for model, source in sorted(published.items())
        if source and not source.archive
    )
    without = sorted(model for model, source in published.items() if not source)
    ready = sum(_is_pinned(pins[source.archive]) for source in sources.values())
    return (
        f"The table has {len(pins)} rows, {sum(map(_is_pinned, pins.values()))} of them pinned."
        f" Of {len(published)} models, {ready} build on a pinned row,"
        f" {len(sources) - ready} on one that has to be pinned first,"
        f" and {len(without)} on none{': ' if without else ''}"
        f"{', '.join(map(markdown.code, without))}.{always}\n\n"
    ) + markdown.table(_HEADER, rows)


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
