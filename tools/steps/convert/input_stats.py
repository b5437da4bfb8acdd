"""The flags of a uint8 conversion of a quantization-aware graph, which both converters share."""

from collections.abc import Sequence
from typing import Any

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.freeze import ranges

_INFERENCE_TYPE = flags.DEFINE_enum(
    "inference_type",
    "FLOAT",
    ["FLOAT", "QUANTIZED_UINT8"],
    "The type of the weights and activations.",
)
_MEAN_VALUES = flags.DEFINE_list(
    "mean_values", [], "For each quantized input, the stored value that means 0.0 (its zero point)."
)
_STD_DEV_VALUES = flags.DEFINE_list(
    "std_dev_values",
    [],
    "For each quantized input, the number of stored steps for 1.0 (1 / its scale).",
)


def parse_input_stats(
    inputs: Sequence[str], means: Sequence[str], deviations: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Pairs every input with (mean, standard deviation), as real = (stored - mean) / deviation.

    Raises:
      cli.UserError: the counts differ, a mean is not a uint8, or a deviation is not above 0.
    """
    for flag, values in (("mean_values", means), ("std_dev_values", deviations)):
        if len(values) != len(inputs):
            raise cli.UserError(
                f"--{flag} has {len(values)} values for {len(inputs)} inputs; "
                "a quantized model needs one each."
            )
    stats = {}
    for name, mean_text, deviation_text in zip(inputs, means, deviations, strict=True):
        try:
            mean, deviation = float(mean_text), float(deviation_text)
        except ValueError as error:
            raise cli.UserError(
                f"--mean_values, --std_dev_values: {error} for {name}; give numbers."
            ) from error
        if not 0 <= mean <= 255:
            raise cli.UserError(
                f"--mean_values={mean_text} for {name}: a stored uint8 is from 0 to 255."
            )
        if not 0 < deviation < float("inf"):
            raise cli.UserError(
                f"--std_dev_values={deviation_text} for {name}: it must be above 0."
            )
        stats[name] = (mean, deviation)
    return stats


def are_needed() -> bool:
    """Returns whether the model is to compute in uint8."""
    return _INFERENCE_TYPE.value == "QUANTIZED_UINT8"


def stated(inputs: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Returns the flags' statistics by input.

    Raises:
      cli.UserError: see `parse_input_stats`.
    """
    return parse_input_stats(inputs, _MEAN_VALUES.value, _STD_DEV_VALUES.value)


def check_ranges(path: str, graph_def: Any) -> None:
    """Checks that a graph has the ranges of training for quantization.

    Raises:
      cli.UserError: it has none.
    """
    if not ranges.has_ranges(graph_def):
        raise cli.UserError(
            f"{path}: --inference_type=QUANTIZED_UINT8 needs the ranges of a "
            "quantization-aware graph, but this graph has none; export a quantization-aware "
            "checkpoint or convert with --inference_type=FLOAT."
        )
