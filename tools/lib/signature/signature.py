"""A graph's inputs and outputs as its source states them: `FrozenGraphInfo.signature`, a JSON file.

{"name": "serving_default",
 "inputs": [{"name": "image", "array": "x", "type": "float32", "shape": [null, 224, 224, 3]}],
 "outputs": [{"name": "classes", "array": "Identity", "type": "float32", "shape": [null, 10]}]}
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from reproducible_tflite.lib.cli import cli

# None is a size that the source leaves open.
Shape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class End:
    """An input or output.

    Attributes:
      name: its name in the signature; for a frozen graph that of the array.
      array: the node in the GraphDef, or one of its further outputs, as in `node:1`.
      type: TensorFlow's name of the type, such as "float32".
      shape: the sizes; None if not even their number is known.
    """

    name: str
    array: str
    type: str
    shape: Shape | None


@dataclasses.dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a graph.

    Attributes:
      name: the signature's name; "" for a frozen graph, which has none.
      inputs: at least one, each with another name and array.
      outputs: at least one, each with another name.
    """

    name: str
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]


def shape_text(shape: Shape | None) -> str:
    """Returns a shape as recipes have it, such as `1,224,224,3`; an unknown size is `?`."""
    if shape is None:
        return "of unknown rank"
    return ",".join("?" if size is None else str(size) for size in shape)


def write(path: str, signature: Signature) -> None:
    """Writes a signature file."""
    with cli.output_file(path, "w") as stream:
        stream.write(json.dumps(dataclasses.asdict(signature), indent=2) + "\n")


def read(path: str) -> Signature | None:
    """Reads a signature file.

    Returns:
      The signature; None if the file contains `null`, because the source states none.

    Raises:
      cli.UserError: it cannot be read, or does not have the form of one.
    """
    content = cli.read_file(path, "signature")
    try:
        stored = json.loads(content)
        if stored is None:
            return None
        signature = Signature(
            name=_typed(stored["name"], str),
            inputs=_ends(stored["inputs"]),
            outputs=_ends(stored["outputs"]),
        )
        for key in ("name", "array"):
            names = [getattr(end, key) for end in signature.inputs]
            if len(set(names)) != len(names):
                raise ValueError(f"two inputs have the same {key}")
        if len({end.name for end in signature.outputs}) != len(signature.outputs):
            raise ValueError("two outputs have the same name")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else cli.first_line(error)
        raise cli.UserError(
            f"{path}: not a signature file ({what}); it is JSON with name, inputs and outputs,"
            " and each of these has name, array, type and shape."
        ) from error
    return signature


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


def _ends(stored: Any) -> tuple[End, ...]:
    if not _typed(stored, list):
        raise ValueError("there must be at least one input and one output")
    return tuple(
        End(
            name=_typed(end["name"], str),
            array=_typed(end["array"], str),
            type=_typed(end["type"], str),
            shape=None if end["shape"] is None else _shape(end["shape"]),
        )
        for end in stored
    )


def _shape(stored: Any) -> Shape:
    shape: Sequence[Any] = _typed(stored, list)
    for size in shape:
        if size is not None and _typed(size, int) < 0:
            raise ValueError(f"{size} is not a size")
    return tuple(shape)
