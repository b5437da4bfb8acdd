"""Mutates the contents of a .tflite. Mutated bytes rarely pass the check of the structure."""

import random
from typing import Any

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import structure
from tests.tools.lib.tflite_file import models

_INTEGERS = (-1, 0, 1, 2, 3, 5, 17, 32, 127)
_FLOATS = (0.0, -0.0, 1.0, float("inf"), float("nan"))
_TEXTS = (None, b"", b"x", b"model_control_dependencies", b"min_runtime_version", b"\xff")


def _tables(table: Any) -> list[Any]:
    """Returns a table of the object API and all that it refers to, except those without fields."""
    tables = [table] if vars(table) else []
    for value in vars(table).values():
        for child in value if isinstance(value, list) else [value]:
            if hasattr(child, "Pack"):
                tables += _tables(child)
    return tables


def _vector(values: np.ndarray, rng: random.Random) -> np.ndarray | None:
    kind = rng.randrange(4)
    if kind == 0 or not values.size:
        return np.append(values, np.array([rng.choice((0, 1, 2, 3))], values.dtype))
    if kind == 1:
        return rng.choice((None, values[1:], values[:0]))
    changed = values.copy()
    place = rng.randrange(values.size)
    changed[place] = values[rng.randrange(values.size)] if kind == 2 else rng.choice((0, 1, 2))
    return changed


def _list(values: list[Any], rng: random.Random) -> list[Any] | None:
    kind = rng.randrange(4)
    if kind == 0 or not values:
        return rng.choice((None, []))
    if kind == 1:
        return values + [rng.choice(values)]
    if kind == 2:
        return rng.sample(values, len(values))
    return values[1:]


def _change(table: Any, rng: random.Random) -> None:
    """Changes one field of a table."""
    field, value = rng.choice(list(vars(table).items()))
    if isinstance(value, bool):
        value = not value
    elif isinstance(value, float):
        value = rng.choice(_FLOATS)
    elif isinstance(value, int):
        value = rng.choice(_INTEGERS)
    elif isinstance(value, np.ndarray):
        value = _vector(value, rng)
    elif isinstance(value, list):
        value = _list(value, rng)
    elif isinstance(value, bytes):
        value = rng.choice(_TEXTS)
    else:
        value = None
    setattr(table, field, value)


def changed(data: bytes, seed: int) -> bytes | None:
    """Returns a file with other contents; None if that is not possible.

    Args:
      data: any bytes.
      seed: determines the changes.
    """
    rng = random.Random(seed)
    try:
        structure.verify(data, "seed")
        model = models.unpack(data)
        for _ in range(rng.randint(1, 4)):
            _change(rng.choice(_tables(model)), rng)
        return models.pack(model)
    except (cli.UserError, TypeError):
        # Not a .tflite; or a number that its field cannot hold.
        return None
