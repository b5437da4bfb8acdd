"""Writes the catalogue: one page with a table of all models.

Usage: write_catalogue --row=x.card.json --row=y.card.json --output=index.html
"""

import json
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.catalogue import catalogue_page

_ROWS = flags.DEFINE_multi_string("row", None, "A row that write_card wrote.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The page to write.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    rows = []
    for path in _ROWS.value:
        try:
            rows.append(json.loads(cli.read_file(path, "row of the catalogue")))
        except ValueError as error:
            raise cli.UserError(f"{path}: not a row: {cli.first_line(error)}.") from error
    names = [row["name"] for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise cli.UserError(f"cards: two models are called {name}; rename one or drop it.")
    with cli.output_file(_OUTPUT.value, "w") as stream:
        stream.write(catalogue_page.html(rows))


if __name__ == "__main__":
    cli.run(main)
