"""Converts a frozen graph with TOCO, TensorFlow's converter before MLIR.

The flags have the names and the syntax of TensorFlow's own `toco` program. They are checked before
TOCO starts. If TOCO refuses a graph, the error has the line with the reason, then the complete log.
TOCO runs in a child process, since it may abort.
"""

import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.convert import conversion, frozen_graph, toco_call
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
_CHANGE_CONCAT_INPUT_RANGES = flags.DEFINE_bool(
    "change_concat_input_ranges", False, "Give all inputs of a quantized concatenation one range."
)
_DEFAULT_RANGES = flags.DEFINE_list(
    "default_ranges",
    [],
    "Smallest and largest value of every array without a range. For benchmarks only: the model's"
    " results are wrong.",
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


def parse_default_ranges(values: Sequence[str]) -> tuple[float, float] | None:
    """Returns the smallest and largest value of --default_ranges; None if it is not given.

    Raises:
      cli.UserError: these are not two numbers with 0 between them.
    """
    if not values:
        return None
    try:
        least, largest = map(float, values)
    except ValueError:
        least = largest = math.nan
    if not (-math.inf < least <= 0 <= largest < math.inf and least < largest):
        raise cli.UserError(
            f"--default_ranges={','.join(values)}: give the smallest and the largest value, with 0"
            " between them."
        )
    return least, largest


def _settings() -> dict[str, Any]:
    """Reads the flags and the graph; returns the settings for `toco_call.convert`."""
    inputs, path = frozen_graph.inputs(), frozen_graph.GRAPH_DEF_FILE.value
    quantized = _INFERENCE_TYPE.value == "QUANTIZED_UINT8"
    stats = None
    if quantized:
        stats = parse_input_stats(inputs, _MEAN_VALUES.value, _STD_DEV_VALUES.value)
    graph_def = frozen_graph.read()
    shapes = frozen_graph.with_batch_of_one(frozen_graph.input_shapes())
    if quantized and not ranges.has_ranges(graph_def) and not _DEFAULT_RANGES.value:
        raise cli.UserError(
            f"{path}: --inference_type=QUANTIZED_UINT8 needs the ranges of a "
            "quantization-aware graph, but this graph has none; export a quantization-aware "
            "checkpoint or convert with --inference_type=FLOAT."
        )
    return {
        "graph": os.path.abspath(path),
        "inputs": inputs,
        "shapes": shapes,
        "outputs": frozen_graph.outputs(),
        "allow_custom_ops": frozen_graph.ALLOW_CUSTOM_OPS.value,
        "change_concat_input_ranges": _CHANGE_CONCAT_INPUT_RANGES.value,
        "quantized_input_stats": stats,
        "default_ranges": parse_default_ranges(_DEFAULT_RANGES.value),
    }


def _convert(convert: Callable[[Mapping[str, Any]], bytes]) -> None:
    """Converts the flags' graph and writes the output file; runs in the child process."""
    # Convert before opening the output: a TOCO that aborts would leave a partial file.
    model = conversion.with_ordered_option_keys(convert(_settings()))
    with cli.output_file(frozen_graph.OUTPUT_FILE.value) as stream:
        stream.write(model)


def main(
    argv: Sequence[str],
    convert: Callable[[Mapping[str, Any]], bytes] = toco_call.convert,
) -> None:
    """Converts according to the flags.

    Args:
      argv: ignored.
      convert: `toco_call.convert` or an equivalent.
    """
    del argv
    conversion.run(functools.partial(_convert, convert), "TOCO", frozen_graph.GRAPH_DEF_FILE.value)


if __name__ == "__main__":
    flags.mark_flags_as_required(frozen_graph.REQUIRED_FLAGS)
    cli.run(main)
