"""Normalizes pixels for a model: for calibration, tests and evaluation.

A model's graph names its preprocessing (`FrozenGraphInfo.preprocessing`); the table of
preprocessings.bzl defines it.
"""

import ast
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np


def _table() -> Mapping[str, Mapping[str, Any]]:
    """Reads the value of PREPROCESSINGS; its Starlark literals are also Python literals."""
    text = pathlib.Path(__file__).with_name("preprocessings.bzl").read_text(encoding="utf-8")
    _, assignment = ast.parse(text).body
    return ast.literal_eval(assignment.value)


_PREPROCESSINGS = _table()
# (mean, deviation) by name; each is a scalar or has a value per channel.
NORMALIZATIONS = {
    name: tuple(np.multiply(row[key], row.get("unit", 1.0)) for key in ("mean", "deviation"))
    for name, row in _PREPROCESSINGS.items()
    if "mean" in row
}
# The preprocessing of models that take no pictures.
TOKENS = "tokens"
NAMES = tuple(_PREPROCESSINGS)
# For people, a sentence each.
MEANINGS = {name: row["meaning"] for name, row in _PREPROCESSINGS.items()}


def normalize(pixels: np.ndarray, name: str) -> np.ndarray:
    """Turns pixels into a model's input, in float64: (pixel - mean) / deviation.

    Args:
      pixels: [..., 3], RGB, 0 to 255.
      name: one of `NORMALIZATIONS`.

    Returns:
      float64 array of the same shape.
    """
    mean, deviation = NORMALIZATIONS[name]
    return (pixels.astype(np.float64) - mean) / deviation
