"""Shows what was found, in aligned columns or as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.recover.finding import Finding
from reproducible_tflite.recover.trials import Result

# How many lines of evidence are shown for one finding without --all.
_SHOWN = 4


def to_json(document: dict[str, Any]) -> str:
    """Returns a document as JSON."""
    return json.dumps(comparison.finite(document), indent=2, allow_nan=False, default=str) + "\n"


def show_findings(console: Console, findings: Sequence[Finding], everything: bool) -> None:
    """Prints findings with their evidence.

    Args:
      console: where to print.
      findings: what to print.
      everything: whether all evidence is listed.
    """
    table = Table(box=None, pad_edge=False)
    for column in ("what", "found", "evidence"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        evidence = list(finding.evidence)
        if not everything and len(evidence) > _SHOWN:
            rest = len(evidence) - _SHOWN
            evidence = [*evidence[:_SHOWN], f"{rest} more (--all lists all)"]
        table.add_row(
            Text(printable(finding.subject)),
            Text(printable(finding.value), style="bold"),
            Text("\n".join(map(printable, evidence)), style="dim"),
        )
    console.print(table)


def show_trials(console: Console, results: Sequence[Result]) -> None:
    """Prints results of trials, one a line.

    Args:
      console: where to print.
      results: what to print, in its order.
    """
    table = Table(box=None, pad_edge=False)
    for column in ("TensorFlow", "settings", "verdict", "in meaning", "others"):
        is_number = column in ("in meaning", "others")
        table.add_column(column, overflow="fold", justify="right" if is_number else "left")
    for result in results:
        changing, harmless = result.left
        cells = [result.trial.tensorflow, result.trial.words, result.verdict]
        cells += [str(changing), str(harmless)] if result.comparison else ["-", "-"]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console.print(table)
