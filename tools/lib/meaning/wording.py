"""Words for places and values in a comparison, and the walk through nested values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reproducible_tflite.lib.meaning.meaning import digest
from reproducible_tflite.lib.tflite_file.model import Operator, Tensor

# The names of these operators' inputs; inputs of other operators are numbered.
_OPERANDS = {
    "CONV_2D": ("input", "weights", "bias"),
    "CONV_3D": ("input", "weights", "bias"),
    "DEPTHWISE_CONV_2D": ("input", "weights", "bias"),
    "FULLY_CONNECTED": ("input", "weights", "bias"),
    "TRANSPOSE_CONV": ("output shape", "weights", "input", "bias"),
}
SHOWN_NUMBERS = 4


def inside(subgraph: int) -> str:
    """Returns what follows a place in a subgraph; nothing for the main one."""
    return f" of subgraph {subgraph}" if subgraph else ""


def place(operator: Operator, subgraph: int) -> str:
    """Returns an operator's place, such as "ADD 6 of subgraph 1"."""
    return f"{operator.name} {operator.index}{inside(subgraph)}"


def operand(operator: Operator, slot: int) -> str:
    """Returns the name of an operator's input, such as "weights"."""
    names = _OPERANDS.get(operator.name, ())
    return names[slot] if slot < len(names) else f"input {slot}"


def size(shape: Sequence[int], tensor: Tensor) -> str:
    """Returns a tensor's shape or shape signature in words, such as "1x?x4"."""
    if shape:
        return "x".join("?" if length < 0 else str(length) for length in shape)
    return "scalar" if tensor.is_ranked else "without rank"


def _numbers(values: np.ndarray, start: int) -> str:
    shown = ",".join(
        str(value) if isinstance(value, int) else f"{value:.9g}"
        for value in values[start : start + SHOWN_NUMBERS].tolist()
    )
    before = "...," if start else ""
    more = f",... ({values.size})" if values.size > start + SHOWN_NUMBERS else ""
    return f"[{before}{shown}{more}]"


def shown(left: Any, right: Any) -> tuple[Any, Any]:
    """Returns two different values for people; of long arrays, the numbers that differ first."""
    arrays = [isinstance(value, np.ndarray) and value.ndim == 1 for value in (left, right)]
    start = 0
    if all(arrays):
        common = min(left.size, right.size)
        unequal = np.flatnonzero(left[:common] != right[:common])
        start = int(unequal[0]) if unequal.size else common
        if start < SHOWN_NUMBERS:
            start = 0
    return tuple(
        _numbers(value, start) if is_array else str(value) if _is_nested(value) else value
        for value, is_array in zip((left, right), arrays, strict=True)
    )


def _is_nested(value: Any) -> bool:
    return isinstance(value, (np.ndarray, Mapping, list, tuple))


def _entry(values: Mapping[Any, Any], key: Any) -> Any:
    """Returns an entry; None if there is none, which a null is not."""
    return "null" if key in values and values[key] is None else values.get(key)


def changed(left: Any, right: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yields (path, left value, right value) of what differs in nested values.

    Args:
      left: a value that `digest` takes; None if there is none.
      right: likewise.
      path: where both are, such as "dimensions[0]".
    """
    if digest(left) == digest(right):
        return
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in sorted(left.keys() | right.keys()):
            inner = f"{path}.{key}" if path else str(key)
            if key in left and key in right:
                yield from changed(left[key], right[key], inner)
            else:
                yield inner, _entry(left, key), _entry(right, key)
    elif isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        if len(left) != len(right):
            yield f"number of {path}", len(left), len(right)
        for number, (a, b) in enumerate(zip(left, right, strict=False)):
            yield from changed(a, b, f"{path}[{number}]")
    else:
        yield path, left, right
