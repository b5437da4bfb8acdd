"""Shows a comparison: as a table on a terminal, as plain text elsewhere."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.meaning import text
from reproducible_tflite.lib.meaning.comparison import Comparison
from reproducible_tflite.lib.meaning.difference import HARMLESS_KINDS


def show(console: Console, comparison: Comparison, limit: int | None) -> None:
    """Prints a comparison.

    Args:
      console: the output; a table is drawn if it is a terminal.
      comparison: the comparison to show.
      limit: the maximum number of listed differences per kind; None for all.
    """
    if not console.is_terminal:
        cli.say(comparison.text(limit).rstrip("\n"))
        return
    for side, name in zip(("left:  ", "right: "), comparison.names, strict=True):
        console.print(Text(side + printable(name)))
    verdict = text.summary(comparison.verdict, comparison.differences)
    style = "bold green" if comparison.means_same else "bold red"
    console.print(Text(verdict, style=style))
    for line in text.near(comparison.verdict, comparison.differences):
        console.print(Text(line))
    if not comparison.differences:
        return
    table = Table(box=None, pad_edge=False)
    for column in text.COLUMNS:
        table.add_column(column, overflow="fold")
    for row in text.rows(comparison.differences, limit):
        style = "dim" if row[0] in HARMLESS_KINDS else None
        table.add_row(*map(Text, row), style=style)
    console.print(table)
