"""The common parts of both converters: input, order of option keys, and reports of failures."""

import difflib
import multiprocessing
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from tools.lib.cli import cli
from tools.lib.tflite_file import flexbuffer


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


def input_shapes(text: str, inputs: Sequence[str]) -> dict[str, list[int]]:
    """Returns every input's shape by its name.

    Args:
      text: the value of --input_shapes, see `parse_shapes`.
      inputs: the inputs' names.

    Raises:
      cli.UserError: the number of shapes differs from that of the inputs.
    """
    shapes = parse_shapes(text)
    if len(shapes) != len(inputs):
        raise cli.UserError(
            f"--input_shapes has {len(shapes)} shapes for {len(inputs)} inputs; give one each."
        )
    return dict(zip(inputs, shapes, strict=True))


def check_arrays(flag: str, arrays: Sequence[str], node_names: Sequence[str]) -> None:
    """Checks that every array is a node of the graph, or one of a node's outputs (`node:1`).

    Raises:
      cli.UserError: an array is missing; the message names the first one and similar nodes.
    """
    known = set(node_names)
    for array in arrays:
        if array.partition(":")[0] not in known:
            similar = difflib.get_close_matches(array, node_names, n=3)
            hint = f"; similar: {', '.join(similar)}" if similar else ""
            raise cli.UserError(f"--{flag}: the graph has no {array!r}{hint}.")


def read_graph(path: str, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """Reads a frozen graph and checks that it has the arrays.

    Args:
      path: a serialized GraphDef.
      inputs: the value of --input_arrays.
      outputs: the value of --output_arrays.

    Returns:
      The GraphDef.

    Raises:
      cli.UserError: the graph cannot be read, or lacks an array.
    """
    # Imported here, so that the parent process stays small and has no threads when it forks.
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef()
    content = cli.read_file(path, "frozen graph")
    try:
        graph_def.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError, whichever implementation is active.
        raise cli.UserError(
            f"{path}: not a serialized GraphDef ({error}); it may be truncated."
        ) from error
    names = [node.name for node in graph_def.node]
    check_arrays("input_arrays", inputs, names)
    check_arrays("output_arrays", outputs, names)
    return graph_def


def with_ordered_option_keys(model: bytes) -> bytes:
    """Sorts the keys in the options of every custom operator.

    TOCO writes them in the order of a hash map, which differs from run to run. Nothing else in the
    file changes or moves.

    Args:
      model: a .tflite as a converter returned it.
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
    """Returns a failure's reason from its log: missing operators, a fatal message, or the end."""
    missing = re.findall(r"^Some ops .*\n(?:TF Select|Custom) ops: (.+)$", log, re.MULTILINE)
    if missing:
        return f"TensorFlow Lite does not define {', '.join(dict.fromkeys(missing))}"
    fatal = re.findall(r"(?:^|\n)(?:\d{4}-\d\d-\d\d [\d:.]+: )?F \S*?\w+\.cc:\d+\] ?(.+)", log)
    if fatal:
        return fatal[0].strip()
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    # For a crash without a message, Python's fault handler prints this line before the stack.
    crash = [line for line in lines if line.startswith("Fatal Python error: ")]
    if crash:
        return crash[0]
    return lines[-1] if lines else "the converter ended without a message"


def _child(convert: Callable[[], None], log: str) -> None:
    """Runs `convert` and redirects all its output, that of C++ included, to `log`."""
    descriptor = os.open(log, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    try:
        convert()
    except cli.UserError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(2)


def run(convert: Callable[[], None], converter: str, source: str) -> None:
    """Runs a conversion in a child process, since a converter may abort its process.

    Args:
      convert: converts and writes; imports TensorFlow itself.
      converter: the converter's name, for messages.
      source: the converted file's name, for messages.

    Raises:
      cli.UserError: the conversion failed. The text has the line with the reason, then the
        converter's complete log.
    """
    with tempfile.NamedTemporaryFile(
        mode="r", encoding="utf-8", errors="replace", prefix="convert-", suffix=".log"
    ) as log:
        child = multiprocessing.get_context("fork").Process(target=_child, args=(convert, log.name))
        child.start()
        child.join()
        text = log.read()
    if child.exitcode == 0:
        return
    if child.exitcode == 2:
        raise cli.UserError(text.rpartition("ERROR: ")[2].strip())
    reason = failure_reason(text)
    if child.exitcode == -signal.SIGKILL:
        reason = "the system killed it, perhaps for lack of memory"
    raise cli.UserError(f"{source}: {converter} refused it: {reason}\nThe complete log:\n{text}")
