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
from reproducible_tflite.steps.convert import conversion, frozen_graph, input_stats, toco_call

_CHANGE_CONCAT_INPUT_RANGES = flags.DEFINE_bool(
    "change_concat_input_ranges", False, "Give all inputs of a quantized concatenation one range."
)
_DEFAULT_RANGES = flags.DEFINE_list(
    "default_ranges",
    [],
    "Smallest and largest value of every array without a range. For benchmarks only: the model's"
    " results are wrong.",
)


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
    stats = input_stats.stated(inputs) if input_stats.are_needed() else None
    graph_def = frozen_graph.read()
    shapes = frozen_graph.with_batch_of_one(frozen_graph.input_shapes())
    if stats and not _DEFAULT_RANGES.value:
        input_stats.check_ranges(path, graph_def)
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
