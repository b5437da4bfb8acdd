"""Measures the error of each layer of a quantized model, relative to its float sibling."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from reproducible_tflite.lib.interpreter import ports
from reproducible_tflite.lib.quantization_error.error import Error
from reproducible_tflite.lib.quantization_error.pairing import Pair
from reproducible_tflite.lib.quantization_recipe.recipe import layer_name
from reproducible_tflite.lib.tflite_file import report

# Further digits depend on the CPU's kernels.
_DIGITS = 6


@dataclasses.dataclass(frozen=True)
class LayerError:
    """A layer's error: the quantized model's output minus the float model's, over all inputs.

    Attributes:
      place: the layer's index among the compared ones, in execution order.
      layer: the float tensor's name.
      quantized_layer: the quantized tensor's name.
      operator: the quantized model's operator.
      type: the quantized tensor's type.
      paired_by: "name", "structure" or "output".
      minimum: the smallest value of the float model.
      maximum: the largest value of the float model.
      rms: root mean square of the error.
      relative_rms: `rms` divided by the float model's range; nan if the range is empty.
      rounding: the relative RMS of one rounding to the layer's own scale.
      mean: mean of the error.
      largest: the largest absolute error.
      sqnr: signal to quantization noise ratio in dB; infinite without an error.
      clipped: the share of the float model's values that the quantized tensor cannot represent.
    """

    place: int
    layer: str
    quantized_layer: str
    operator: str
    type: str
    paired_by: str
    minimum: float
    maximum: float
    rms: float
    relative_rms: float
    rounding: float
    mean: float
    largest: float
    sqnr: float
    clipped: float

    def plain(self) -> dict[str, Any]:
        """Returns the attributes as JSON values, floats to six digits."""
        return {
            name: report.number(float(f"{value:.{_DIGITS}g}"))
            if isinstance(value, float)
            else value
            for name, value in dataclasses.asdict(self).items()
        }


def _clipped(values: np.ndarray, stored: np.dtype, scale: float, zero_point: int) -> int:
    """Returns how many values are more than half a step outside of the integers' range."""
    limits = np.iinfo(stored)
    least = (limits.min - zero_point - 0.5) * scale
    greatest = (limits.max - zero_point + 0.5) * scale
    return int(np.count_nonzero((values < least) | (values > greatest)))


class Measurement:
    """Accumulates the error of one layer."""

    def __init__(self, place: int, pair: Pair) -> None:
        """Takes the layer's index in execution order, and its two tensors."""
        self._place = place
        self._pair = pair
        self._error = Error()
        self._clipped = 0

    def add(self, expected: np.ndarray, stored: np.ndarray) -> None:
        """Adds both models' outputs for one input.

        Args:
          expected: the float model's values.
          stored: the quantized model's values as it stores them, in the same shape.
        """
        scale, zero_point = self._pair.right.scaling
        self._error.add(ports.real(stored, scale, zero_point), expected)
        if scale and stored.dtype.kind in "iu":
            values = expected.astype(np.float64)
            self._clipped += _clipped(values, stored.dtype, scale, zero_point)

    def result(self) -> LayerError:
        """Returns the error over all inputs so far; at least one is needed."""
        error, pair = self._error, self._pair
        count = max(1, error.elements)
        rms = math.sqrt(error.squares / count)
        extent = error.maximum - error.minimum
        part = 1 / extent if extent > 0 and math.isfinite(extent) else math.nan
        return LayerError(
            place=self._place,
            layer=layer_name(pair.left.name),
            quantized_layer=layer_name(pair.right.name),
            operator=pair.operator.name,
            type=pair.right.dtype,
            paired_by=pair.by,
            minimum=error.minimum,
            maximum=error.maximum,
            rms=rms,
            relative_rms=rms * part,
            # The standard deviation of a uniform distribution that is one step wide.
            rounding=pair.right.scaling[0] / math.sqrt(12) * part,
            mean=error.total / count,
            largest=error.largest,
            sqnr=error.decibels,
            clipped=self._clipped / count,
        )


def _badness(layer: LayerError) -> float:
    if not math.isnan(layer.relative_rms):
        return layer.relative_rms
    # A constant without an error is the best; NaN is the worst.
    return math.inf if layer.rms else 0.0


def worst_first(layers: Sequence[LayerError]) -> list[LayerError]:
    """Returns layers by descending `relative_rms`; NaN counts as the worst."""
    return sorted(layers, key=lambda layer: (-_badness(layer), layer.place))
