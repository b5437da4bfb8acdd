"""The frozen graph that a converter reads, and the flags that both converters share."""

import difflib
from collections.abc import Sequence
from typing import Any

from absl import flags

from reproducible_tflite.lib.cli import cli

GRAPH_DEF_FILE = flags.DEFINE_string(
    "graph_def_file", None, "The frozen graph, a serialized GraphDef."
)
OUTPUT_FILE = flags.DEFINE_string("output_file", None, "The .tflite to write.")
_INPUT_ARRAYS = flags.DEFINE_list("input_arrays", None, "The names of the inputs.")
_INPUT_SHAPES = flags.DEFINE_string(
    "input_shapes", None, "The inputs' shapes, comma-separated sizes, colons between shapes."
)
_OUTPUT_ARRAYS = flags.DEFINE_list("output_arrays", None, "The names of the outputs, in order.")
ALLOW_CUSTOM_OPS = flags.DEFINE_bool(
    "allow_custom_ops", False, "Keep ops that TFLite does not define."
)
REQUIRED_FLAGS = ("graph_def_file", "output_file", "input_arrays", "input_shapes", "output_arrays")


def array_name(tensor: str) -> str:
    """Returns the name that converters take: `x` for `x:0`, and `x:1` as it is."""
    return tensor.removesuffix(":0")


def inputs() -> list[str]:
    """Returns the value of --input_arrays as `array_name` has them."""
    return [array_name(name) for name in _INPUT_ARRAYS.value]


def outputs() -> list[str]:
    """Returns the value of --output_arrays as `array_name` has them."""
    return [array_name(name) for name in _OUTPUT_ARRAYS.value]


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


def input_shapes() -> dict[str, list[int]]:
    """Returns every input's shape by its name.

    Raises:
      cli.UserError: an input is named twice, or the number of shapes differs from that of the
        inputs.
    """
    names, shapes = inputs(), parse_shapes(_INPUT_SHAPES.value)
    if len(shapes) != len(names):
        raise cli.UserError(
            f"--input_shapes has {len(shapes)} shapes for {len(names)} inputs; give one each."
        )
    by_name = dict(zip(names, shapes, strict=True))
    if len(by_name) != len(names):
        raise cli.UserError(f"--input_arrays={','.join(names)} has a name twice; give it once.")
    return by_name


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


def read() -> Any:
    """Reads --graph_def_file and checks that it has the arrays.

    Returns:
      The GraphDef.

    Raises:
      cli.UserError: the graph cannot be read, or lacks an array.
    """
    # Imported here, so that the parent process stays small and has no threads when it forks.
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef()
    content = cli.read_file(GRAPH_DEF_FILE.value, "frozen graph")
    try:
        graph_def.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError, whichever implementation is active.
        raise cli.UserError(
            f"{GRAPH_DEF_FILE.value}: not a serialized GraphDef ({error}); it may be truncated."
        ) from error
    names = [node.name for node in graph_def.node]
    check_arrays("input_arrays", inputs(), names)
    check_arrays("output_arrays", outputs(), names)
    return graph_def


def has_ranges(graph_def: Any) -> bool:
    """Returns whether a graph was trained for quantization."""
    return any(node.op.startswith("FakeQuant") for node in graph_def.node)
