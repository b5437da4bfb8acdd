"""Shows what a search found."""

from typing import Any

from rich.console import Console

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison, terminal
from reproducible_tflite.lib.rounding.explanation import Explanation
from reproducible_tflite.recover.presentation import show_trials
from reproducible_tflite.recover.quantization import Recipe
from reproducible_tflite.recover.search import Found
from reproducible_tflite.recover.trials import Result


def nothing(found: Found) -> str:
    """Returns why a search has no file, in one sentence."""
    if not found.results and not found.complete:
        return "the time was over before the first trial; give more --max_minutes."
    if not found.results:
        return (
            "none of the TensorFlows to try can be had here; choose others with --tensorflow, or"
            " let Bazel reach a package index."
        )
    if not found.complete:
        return "the time was over before a trial gave a file; give more --max_minutes."
    last = found.results[-1]
    return f"no trial gave a file; the last one, {last.trial}, ended with: {last.error}."


def _to_dict(result: Result) -> dict[str, Any]:
    changing, harmless = result.left
    return {
        "tensorflow": result.trial.tensorflow,
        "settings": dict(result.trial.settings),
        "verdict": result.verdict,
        "differences_in_meaning": changing,
        "other_differences": harmless,
        "error": result.error,
    }


def to_dict(found: Found, entry: str, explained: Explanation | None) -> dict[str, Any]:
    """Returns what was found, for JSON.

    Args:
      found: what a search found; its best result has a comparison.
      entry: the BUILD entry.
      explained: whose rounding the file has, if that is all that is left.
    """
    best = found.best
    assert best is not None and best.comparison is not None
    return {
        "complete": found.complete,
        "best": {
            **_to_dict(best),
            "differences": [row.to_dict() for row in best.comparison.differences],
        },
        "trials": [_to_dict(result) for result in found.results],
        "folded": explained.to_dict() if explained else None,
        "build_entry": entry,
    }


def show(
    console: Console,
    found: Found,
    entry: str,
    recipe: Recipe,
    explained: Explanation | None,
    limit: int | None,
) -> None:
    """Prints the trials, what is left by the best, and its recipe.

    Args:
      console: where to print.
      found: what a search found; its best result has a comparison.
      entry: the BUILD entry.
      recipe: how the file was quantized.
      explained: whose rounding the file has, if that is all that is left.
      limit: the maximum number of listed differences per kind; None for all.
    """
    best = found.best
    assert best is not None and best.comparison is not None
    cli.say()
    show_trials(console, sorted(found.results, key=lambda result: result.rank))
    cli.say()
    terminal.show(console, best.comparison, limit)
    for line in explained.lines() if explained else ():
        cli.say(line)
    if best.verdict == comparison.SAME_GRAPH and not recipe.needs_samples:
        cli.say(
            "Only numbers differ, so the recipe fits: the file is of other weights than the source"
            " has, or its converter computed them otherwise."
        )
    if recipe.needs_samples and not best.comparison.means_same:
        cli.say(
            "Ranges were measured on samples that no file contains, so scales of activations, and"
            " biases that follow from them, cannot be recovered."
        )
    cli.say(f"\nThe recipe, as a BUILD entry:\n\n{entry}")
    if not found.complete:
        cli.say("The time was over, so this is the best so far; give more --max_minutes.")
    cli.say(f"Best: {best.trial}: {best.verdict}")
