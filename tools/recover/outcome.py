"""Shows what a search found."""

from typing import Any

from rich.console import Console

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison, nearness, terminal
from reproducible_tflite.lib.rounding.explanation import Explanation
from reproducible_tflite.lib.rounding.folds import FOLDS
from reproducible_tflite.recover.presentation import show_trials
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
        "fold_as": result.trial.fold_as,
        "verdict": result.verdict,
        "differences_in_meaning": changing,
        "other_differences": harmless,
        "error": result.error,
    }


def conclusion(best: Result, lacks_samples: bool, folded: bool = False) -> str:
    """Returns how a file was made, in one or two sentences.

    Args:
      best: the best result; it has a comparison.
      lacks_samples: whether ranges were measured on samples that nobody gave.
      folded: whether the file has folded batch norms, whose last bits depend on the processor.
    """
    tensorflow, verdict = f"TensorFlow {best.trial.tensorflow}", best.verdict
    if fold := best.trial.fold_as:
        tensorflow += f", with batch norms folded on {FOLDS[fold].meaning},"
    elif folded and best.comparison.means_same:
        tensorflow += ", on a processor that folds batch norms as this one does,"
    changing, harmless = best.left
    others = [
        row
        for row in best.comparison.differences
        if row.changes_meaning and not nearness.depends_on_samples(row)
    ]
    samples = " Its ranges were measured on samples that no file contains, so the scales of its"
    samples += " activations, and biases in their units, need these: give --samples."
    if others:
        samples += f" Samples do not explain {len(others)} of the differences in meaning"
        are_bits = all(map(nearness.is_last_bits, others))
        samples += ": last bits, as of another processor." if are_bits else "."
    if verdict == comparison.SAME_BYTES:
        return f"{tensorflow} makes exactly this file of the source."
    if verdict == comparison.SAME_CANONICAL_BYTES:
        return f"{tensorflow} makes this file of the source, laid out in another way."
    if verdict == comparison.SAME_MEANING:
        return (
            f"{tensorflow} makes a file of the same meaning of the source. What is left changes"
            f" nothing, such as names and metadata: {harmless} difference{'s' * (harmless > 1)}."
        )
    if verdict == comparison.SAME_BUT_FOR_ROUNDING:
        return f"{tensorflow} makes this file of the source, but for last bits of folded constants."
    if verdict == comparison.SAME_GRAPH and lacks_samples:
        return f"{tensorflow} makes this graph of the source, with other numbers.{samples}"
    if verdict == comparison.SAME_GRAPH:
        return (
            f"{tensorflow} makes this graph of the source, with other numbers; how near they are"
            " stands above. The file was made of other weights or samples, or computed otherwise."
        )
    return (
        f"No trial makes this file: {tensorflow} comes nearest, and leaves {changing}"
        f" difference{'s' * (changing > 1)} in meaning.{samples if lacks_samples else ''}"
    )


def to_dict(
    found: Found, entry: str, explained: Explanation | None, lacks_samples: bool
) -> dict[str, Any]:
    """Returns what was found, for JSON.

    Args:
      found: what a search found; its best result has a comparison.
      entry: the BUILD entry.
      explained: whose rounding the file has, if that is all that is left.
      lacks_samples: whether ranges were measured on samples that nobody gave.
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
        "conclusion": conclusion(best, lacks_samples, explained is not None),
        "folded": explained.to_dict() if explained else None,
        "build_entry": entry,
    }


def show(
    console: Console,
    found: Found,
    entry: str,
    lacks_samples: bool,
    explained: Explanation | None,
    limit: int | None,
) -> None:
    """Prints the trials, what is left by the best, and its recipe.

    Args:
      console: where to print.
      found: what a search found; its best result has a comparison.
      entry: the BUILD entry.
      lacks_samples: whether ranges were measured on samples that nobody gave.
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
    cli.say(f"\nThe recipe, as a BUILD entry:\n\n{entry}")
    if not found.complete:
        cli.say("The time was over, so this is the best so far; give more --max_minutes.")
    cli.say(f"Best: {best.trial}: {best.verdict}")
    cli.say(conclusion(best, lacks_samples, explained is not None))
