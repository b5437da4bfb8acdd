"""Whose rounding a published file has, and what trials give with batch norms folded so."""

import dataclasses

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.rounding import explanation, refolding
from reproducible_tflite.lib.rounding import source as rounding_source
from reproducible_tflite.lib.rounding.explanation import Explanation
from reproducible_tflite.lib.rounding.folds import FOLDS
from reproducible_tflite.lib.rounding.layers import Layer
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.recover import versions
from reproducible_tflite.recover.search import Found
from reproducible_tflite.recover.trials import Laboratory, Result, Trial


def _again(result: Result, laboratory: Laboratory, layers: list[Layer], name: str) -> Result:
    """Returns a trial's result with its batch norms folded in a named way."""
    converted = cli.read_file(str(laboratory.file(result)), "converted file")
    trial = Trial(result.trial.tensorflow, result.trial.settings, name)
    refolded = refolding.refolded(converted, "converted file", layers, name)
    return laboratory.compared(trial, refolded)


def explained(
    model: Model, found: Found, laboratory: Laboratory
) -> tuple[Found, Explanation | None]:
    """Tells whose rounding a file has, if its batch norms are folded into float32.

    A converter folds with the processor that it runs on. So if the file's rounding is known, the
    trials that leave nothing else are folded so, and stand beside the others.

    Args:
      model: the published file.
      found: what a search found.
      laboratory: has the converted files.

    Returns:
      What was found, and whose rounding the file has; None if nothing is folded in it.
    """
    best = found.best
    if best is None or best.comparison is None:
        return found, None
    is_left = best.verdict == comparison.SAME_BUT_FOR_ROUNDING
    # TOCO computes on all processors alike.
    of_processor = versions.family(model) != versions.TOCO and explanation.has_weights(model)
    if not is_left and not of_processor:
        return found, None
    try:
        layers = rounding_source.read(rounding_source.SOURCE.value)
    except cli.UserError as error:
        if is_left:
            cli.note(f"The rounding cannot be explained: {error}")
        return found, None
    if not is_left:
        published = explanation.explain(model, layers)
        return found, published if published.channels else None
    converted = cli.read_file(str(laboratory.file(best)), "converted file")
    folded = [
        explanation.explain(one, layers)
        for one in (model, reader.read(converted, "converted file"))
    ]
    confirmed = rounding_source.confirmed(best.comparison, folded)
    best = dataclasses.replace(best, comparison=confirmed)
    published = folded[0]
    again = [
        _again(result, laboratory, layers, name)
        for name in published.folds[:1]
        if name in FOLDS
        for result in found.results
        if result.verdict == comparison.SAME_BUT_FOR_ROUNDING
    ]
    best = min([best, *again], key=lambda result: result.rank)
    return dataclasses.replace(found, best=best, results=[*found.results, *again]), published
