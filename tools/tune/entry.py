"""The BUILD entry of a tuned model."""

from collections.abc import Sequence

from reproducible_tflite.lib.build_file.build_file import Target, Value
from reproducible_tflite.tune.candidates import Budget, Trial

# Without a largest error in the budget, the entry allows so much more than was measured, and never
# less than what the last bits of sums may differ by from processor to processor.
_ROOM = 1.5
_LEAST = 0.001


def _maximum_error(trial: Trial, allowed: Budget) -> str:
    # Rounding a budget down would refuse a trial that is just within it.
    if allowed.error is not None:
        return f"{allowed.error:.15g}"
    return f"{max(_ROOM * trial.error, _LEAST):.3g}"


def names(name: str) -> Sequence[Target]:
    """Returns the targets of an entry, without what a search finds; see `targets`."""
    recipe = f"{name}.quantization"
    return (
        Target("quantization_recipe", {"name": recipe}),
        Target("quantized_model", {"name": name, "recipe": f":{recipe}"}),
    )


def targets(
    name: str, model: str, dataset: str | None, trial: Trial, allowed: Budget
) -> Sequence[Target]:
    """Returns the targets that build a trial.

    Args:
      name: the name of the quantized model.
      model: the label of the model in floating point.
      dataset: the label of the representative dataset, or None.
      trial: the trial.
      allowed: the budget.
    """
    recipe, named = names(name)
    quantized: dict[str, Value] = {
        **named.attributes,
        "maximum_error": _maximum_error(trial, allowed),
        "model": model,
    }
    if trial.float_operators:
        quantized["float_operators"] = trial.float_operators
    if dataset:
        quantized["representative_dataset"] = dataset
    return (
        Target(recipe.rule, {**recipe.attributes, **trial.recipe.plain()}),
        Target(named.rule, quantized),
    )
