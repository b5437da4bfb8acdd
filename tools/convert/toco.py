"""Converts a frozen graph with TOCO, TensorFlow's converter before MLIR.

The flags have the names and the syntax of TensorFlow's own `toco` program. What a person can get
wrong is looked at before TOCO starts, and what TOCO itself refuses is reported as the one line that
says why, before its whole log: TOCO ends a process that it does not like, so it runs in a child.
"""

import difflib
import multiprocessing
import os
import re
import signal
import sys
import tempfile
from collections.abc import Sequence

from absl import flags

from tools.canonicalize import flexbuffer
from tools.cli import cli

_GRAPH_DEF_FILE = flags.DEFINE_string(
    "graph_def_file", None, "The frozen graph, a serialized GraphDef."
)
_OUTPUT_FILE = flags.DEFINE_string("output_file", None, "The .tflite to write.")
_INPUT_ARRAYS = flags.DEFINE_list("input_arrays", None, "The names of the inputs.")
_INPUT_SHAPES = flags.DEFINE_string(
    "input_shapes", None, "The inputs' shapes, comma-separated sizes, colons between shapes."
)
_OUTPUT_ARRAYS = flags.DEFINE_list("output_arrays", None, "The names of the outputs, in order.")
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
    "For each quantized input, how many stored steps make 1.0 (1 / its scale).",
)
_ALLOW_CUSTOM_OPS = flags.DEFINE_bool(
    "allow_custom_ops", False, "Keep ops that TFLite does not define."
)
_CHANGE_CONCAT_INPUT_RANGES = flags.DEFINE_bool(
    "change_concat_input_ranges", False, "Give all inputs of a quantized concatenation one range."
)


def parse_shapes(text: str) -> list[list[int]]:
    """Parses `1,320,320,3:1,4` into [[1, 320, 320, 3], [1, 4]].

    Raises:
      cli.UserError: a size is not a whole number above 0.
    """
    shapes = []
    for shape in text.split(":"):
        sizes = shape.split(",")
        if not all(size.isdecimal() and int(size) > 0 for size in sizes):
            raise cli.UserError(
                f"--input_shapes: {shape!r} is not a shape; "
                "give whole numbers above 0, as in 1,320,320,3."
            )
        shapes.append([int(size) for size in sizes])
    return shapes


def parse_input_stats(
    inputs: Sequence[str], means: Sequence[str], deviations: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Pairs every input with (mean, standard deviation), as real = (stored - mean) / deviation.

    Raises:
      cli.UserError: the counts differ, a mean is no uint8, or a deviation is not above 0.
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


def check_arrays(flag: str, arrays: Sequence[str], node_names: Sequence[str]) -> None:
    """Checks that every array is a node of the graph, or one of a node's outputs (`node:1`).

    Raises:
      cli.UserError: it names the first that is not, and the names that are most like it.
    """
    known = set(node_names)
    for array in arrays:
        if array.partition(":")[0] not in known:
            similar = difflib.get_close_matches(array, node_names, n=3)
            hint = f"; similar: {', '.join(similar)}" if similar else ""
            raise cli.UserError(f"--{flag}: the graph has no {array!r}{hint}.")


def with_ordered_option_keys(model: bytes) -> bytes:
    """Puts the keys in every custom operator's options in order.

    TOCO lays them out in the order of a hash map, which differs from run to run, so that no two
    runs would give the same file. Nothing else is changed, and nothing moves.

    Args:
      model: a .tflite as TOCO returned it.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    buffer = bytearray(model)
    root = schema.Model.GetRootAsModel(buffer, 0)
    for i in range(root.SubgraphsLength()):
        subgraph = root.Subgraphs(i)
        for j in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(j)
            if not operator.CustomOptionsLength():
                continue
            # A view into the buffer: writing to it writes to the model.
            options = operator.CustomOptionsAsNumpy()
            ordered = flexbuffer.canonical_bytes(options.tobytes())
            if len(ordered) == len(options):
                options[:] = list(ordered)
    return bytes(buffer)


def failure_reason(log: str) -> str:
    """Finds the line of a log that says why it failed: a fatal message, else the last line."""
    fatal = re.findall(r"(?:^|\n)(?:\d{4}-\d\d-\d\d [\d:.]+: )?F \S*?\w+\.cc:\d+\] ?(.+)", log)
    if fatal:
        return fatal[0].strip()
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    # A crash without a message: what Python's fault handler says comes before its stack.
    crash = [line for line in lines if line.startswith("Fatal Python error: ")]
    if crash:
        return crash[0]
    return lines[-1] if lines else "the converter ended without a word"


def _convert() -> None:
    """Runs in the child: reads the flags' graph, converts it and writes the output file."""
    # Imported here, so that the parent stays small and has no threads when it forks.
    import tensorflow as tf
    from tensorflow.lite.python import convert as lite_convert

    graph_def = tf.compat.v1.GraphDef()
    content = cli.read_file(_GRAPH_DEF_FILE.value, "frozen graph")
    try:
        graph_def.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError, whichever implementation is active.
        raise cli.UserError(
            f"{_GRAPH_DEF_FILE.value}: not a serialized GraphDef ({error}); it may be truncated."
        ) from error
    names = [node.name for node in graph_def.node]
    check_arrays("input_arrays", _INPUT_ARRAYS.value, names)
    check_arrays("output_arrays", _OUTPUT_ARRAYS.value, names)
    shapes = parse_shapes(_INPUT_SHAPES.value)
    if len(shapes) != len(_INPUT_ARRAYS.value):
        raise cli.UserError(
            f"--input_shapes has {len(shapes)} shapes for {len(_INPUT_ARRAYS.value)} inputs; "
            "give one each."
        )
    quantized = _INFERENCE_TYPE.value == "QUANTIZED_UINT8"
    if quantized and not any(node.op.startswith("FakeQuant") for node in graph_def.node):
        raise cli.UserError(
            f"{_GRAPH_DEF_FILE.value}: --inference_type=QUANTIZED_UINT8 needs the ranges of a "
            "graph that was trained for quantization, and this has none; export a "
            "quantization-aware checkpoint or convert with --inference_type=FLOAT."
        )

    # TensorFlow looks for a program that runs TOCO on PATH; without a name, it runs TOCO here.
    lite_convert._deprecated_conversion_binary = ""
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        _GRAPH_DEF_FILE.value,
        _INPUT_ARRAYS.value,
        _OUTPUT_ARRAYS.value,
        dict(zip(_INPUT_ARRAYS.value, shapes, strict=True)),
    )
    converter.experimental_new_converter = False
    converter.allow_custom_ops = _ALLOW_CUSTOM_OPS.value
    converter.change_concat_input_ranges = _CHANGE_CONCAT_INPUT_RANGES.value
    if quantized:
        converter.inference_type = tf.uint8
        converter.quantized_input_stats = parse_input_stats(
            _INPUT_ARRAYS.value, _MEAN_VALUES.value, _STD_DEV_VALUES.value
        )
    # Converted before the output is opened: a TOCO that aborts cannot clean up behind it.
    model = with_ordered_option_keys(converter.convert())
    with cli.output_file(_OUTPUT_FILE.value) as stream:
        stream.write(model)


def _child(log: str) -> None:
    """Runs `_convert` with everything that it prints, in C++ too, going into `log`."""
    descriptor = os.open(log, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    try:
        _convert()
    except cli.UserError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(2)


def main(argv: Sequence[str]) -> None:
    del argv
    if _INFERENCE_TYPE.value == "QUANTIZED_UINT8":
        parse_input_stats(_INPUT_ARRAYS.value, _MEAN_VALUES.value, _STD_DEV_VALUES.value)
    with tempfile.NamedTemporaryFile(mode="r", prefix="toco-", suffix=".log") as log:
        child = multiprocessing.get_context("fork").Process(target=_child, args=(log.name,))
        child.start()
        child.join()
        text = log.read()
    if child.exitcode == 0:
        return
    if child.exitcode == 2:
        raise cli.UserError(text.rpartition("ERROR: ")[2].strip())
    reason = failure_reason(text)
    if child.exitcode == -signal.SIGKILL:
        reason = "the system killed it, for want of memory perhaps"
    raise cli.UserError(
        f"{_GRAPH_DEF_FILE.value}: TOCO refused it: {reason}\nThe whole log:\n{text}"
    )


if __name__ == "__main__":
    flags.mark_flags_as_required(
        ["graph_def_file", "output_file", "input_arrays", "input_shapes", "output_arrays"]
    )
    cli.run(main)
