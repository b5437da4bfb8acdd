"""The frozen graph that a converter reads, and the flags that both converters share."""

import difflib
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.graph_ends import graph_ends
from reproducible_tflite.lib.signature import signature

GRAPH_DEF_FILE = flags.DEFINE_string(
    "graph_def_file", None, "The frozen graph, a serialized GraphDef."
)
OUTPUT_FILE = flags.DEFINE_string("output_file", None, "The .tflite to write.")
_SIGNATURE = flags.DEFINE_string(
    "signature", None, "The inputs and outputs as the graph's source states them, a JSON file."
)
_FROM_SIGNATURE = " Default: those of --signature."
_INPUT_ARRAYS = flags.DEFINE_list(
    "input_arrays", None, "The names of the inputs." + _FROM_SIGNATURE
)
_INPUT_SHAPES = flags.DEFINE_string(
    "input_shapes",
    None,
    "The inputs' shapes, comma-separated sizes, colons between shapes; ? keeps a batch open."
    + _FROM_SIGNATURE,
)
_OUTPUT_ARRAYS = flags.DEFINE_list(
    "output_arrays", None, "The names of the outputs, in order." + _FROM_SIGNATURE
)
ALLOW_CUSTOM_OPS = flags.DEFINE_bool(
    "allow_custom_ops", False, "Keep ops that TFLite does not define."
)
# The size of a batch that stays open.
_OPEN = "?"
REQUIRED_FLAGS = ("graph_def_file", "output_file")


def _needed(flag: flags.FlagHolder) -> Any:
    """Returns a flag's value.

    Raises:
      cli.UserError: the flag is not given.
    """
    if not flag.value:
        raise cli.UserError(
            f"--{flag.name} is missing; the graph has no signature that would state it."
        )
    return flag.value


def stated() -> signature.Signature | None:
    """Returns the signature of --signature; None without one.

    Raises:
      cli.UserError: the file cannot be read.
    """
    return _read_signature(_SIGNATURE.value) if _SIGNATURE.value else None


@functools.lru_cache(maxsize=1)
def _read_signature(path: str) -> signature.Signature | None:
    return signature.read(path)


def _ends(flag: flags.FlagHolder, offered: Sequence[signature.End]) -> list[signature.End]:
    """Returns the ends of a signature that a flag names, by their names there or as arrays.

    Raises:
      cli.UserError: the signature does not have one, or has it once and the flag twice.
    """
    if not flag.value:
        return list(offered)
    known = {end.array: end for end in offered} | {end.name: end for end in offered}
    found: list[signature.End] = []
    for name in flag.value:
        end = known.get(name) or known.get(graph_ends.array_of(name))
        if end is None or end in found:
            names = ", ".join(
                end.name if end.name == end.array else f"{end.name} ({end.array})"
                for end in offered
            )
            raise cli.UserError(
                f"--{flag.name}={','.join(flag.value)}: {name!r} is"
                f" {'named twice' if end else 'not in the signature'}, which has {names}."
            )
        found.append(end)
    return found


def input_ends(its_signature: signature.Signature) -> list[signature.End]:
    """Returns a signature's inputs, in the order of --input_arrays if that is given.

    Raises:
      cli.UserError: --input_arrays differs from them.
    """
    ends = _ends(_INPUT_ARRAYS, its_signature.inputs)
    missing = [end.name for end in its_signature.inputs if end not in ends]
    if missing:
        raise cli.UserError(
            f"--input_arrays={','.join(_INPUT_ARRAYS.value)}: the signature also has"
            f" {', '.join(missing)}; name all inputs, or leave it out."
        )
    return ends


def output_ends(its_signature: signature.Signature) -> list[signature.End]:
    """Returns the outputs of a signature that --output_arrays names; all if it is not given.

    Raises:
      cli.UserError: --output_arrays names another.
    """
    return _ends(_OUTPUT_ARRAYS, its_signature.outputs)


def inputs() -> list[str]:
    """Returns the inputs as `graph_ends.array_of` has them.

    Raises:
      cli.UserError: they are not stated, or differ from the signature.
    """
    if its_signature := stated():
        return [end.array for end in input_ends(its_signature)]
    return [graph_ends.array_of(name) for name in _needed(_INPUT_ARRAYS)]


def outputs() -> list[str]:
    """Returns the outputs as `graph_ends.array_of` has them, in order.

    Raises:
      cli.UserError: they are not stated, or differ from the signature.
    """
    if its_signature := stated():
        return [end.array for end in output_ends(its_signature)]
    return [graph_ends.array_of(name) for name in _needed(_OUTPUT_ARRAYS)]


def parse_shapes(text: str) -> list[list[int | None]]:
    """Parses `1,320,320,3:?,4` into [[1, 320, 320, 3], [None, 4]].

    Raises:
      cli.UserError: a size is not a whole number above 0, nor ? for the first.
    """
    shapes = []
    for shape in text.split(":"):
        sizes = shape.split(",")
        numbers = sizes[1:] if sizes[0] == _OPEN and len(sizes) > 1 else sizes
        if not all(size.isdecimal() and int(size) > 0 for size in numbers):
            raise cli.UserError(
                f"--input_shapes: {shape!r} is not a shape; "
                "give whole numbers above 0, as in 1,320,320,3."
            )
        shapes.append([None if size == _OPEN else int(size) for size in sizes])
    return shapes


def keeps_open_batch() -> bool:
    """Returns whether --input_shapes leaves a batch open."""
    return _OPEN in (_INPUT_SHAPES.value or "")


def input_shapes() -> dict[str, list[int | None]]:
    """Returns every input's shape by its array.

    Only a first size, that of the batch, may be None: --input_shapes or the signature leaves it
    open.

    Raises:
      cli.UserError: an input is named twice, the number of shapes differs from that of the
        inputs, or a shape is not stated or differs from the signature.
    """
    names, its_signature = inputs(), stated()
    if its_signature and not _INPUT_SHAPES.value:
        return {end.array: _stated_shape(end) for end in its_signature.inputs}
    shapes = parse_shapes(_needed(_INPUT_SHAPES))
    if len(shapes) != len(names):
        raise cli.UserError(
            f"--input_shapes has {len(shapes)} shapes for {len(names)} inputs; give one each."
        )
    by_name = dict(zip(names, shapes, strict=True))
    if len(by_name) != len(names):
        raise cli.UserError(f"--input_arrays={','.join(names)} has a name twice; give it once.")
    for end in its_signature.inputs if its_signature else ():
        _check_shape(end, by_name[end.array])
    return by_name


def _stated_shape(end: signature.End) -> list[int | None]:
    if end.shape is None or None in end.shape[1:]:
        raise cli.UserError(
            f"--input_shapes is missing: the signature leaves the shape of {end.name} open"
            f" ({signature.shape_text(end.shape)}); give every size."
        )
    return list(end.shape)


def _check_shape(end: signature.End, shape: Sequence[int | None]) -> None:
    fits = end.shape is None or (
        len(shape) == len(end.shape)
        and all(size in (None, given) for size, given in zip(end.shape, shape, strict=True))
    )
    if not fits:
        raise cli.UserError(
            f"--input_shapes: {signature.shape_text(tuple(shape))} is not a shape of {end.name},"
            f" which is {signature.shape_text(end.shape)} in the signature."
        )


def with_batch_of_one(shapes: Mapping[str, Sequence[int | None]]) -> dict[str, list[int]]:
    """Returns shapes with 1 for an open batch, for converters that cannot keep it open."""
    return {name: [1 if size is None else size for size in shape] for name, shape in shapes.items()}


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
