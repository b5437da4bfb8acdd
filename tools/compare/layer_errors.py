"""How far each layer of a quantized model is from its float sibling, over a set of inputs."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tools.compare.pairing import Pair, first_name
from tools.lib.interpreter import interpreter
from tools.lib.quantization_error.error import Error
from tools.lib.tflite_file import report

# Kernels of different CPUs differ in what comes after these.
_DIGITS = 6


@dataclasses.dataclass(frozen=True)
class LayerError:
    """A layer's error: what the quantized model gives less what the float model gives.

    Attributes:
      place: where the layer stands among the compared ones, in the order in which they run.
      layer: the float tensor's name.
      quantized_layer: the other tensor's name.
      operator: the quantized model's operator.
      type: the type in which the quantized model stores it.
      paired_by: "name" or "structure".
      minimum: the least value that the float model gave.
      maximum: the greatest.
      rms: root mean square of the error.
      relative_rms: `rms` as a part of the float model's range; nan where that is empty.
      rounding: what of `relative_rms` one rounding to the layer's own scale makes.
      mean: mean of the error.
      largest: the greatest absolute error.
      sqnr: signal to quantization noise in dB; infinite without an error.
      clipped: the share of the float model's values beyond what the quantized tensor can store.
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
        """Returns the attributes as JSON can hold them, floats to six digits."""
        return {
            name: report.number(float(f"{value:.{_DIGITS}g}"))
            if isinstance(value, float)
            else value
            for name, value in dataclasses.asdict(self).items()
        }


def _clipped(values: np.ndarray, stored: np.dtype, scale: float, zero_point: int) -> int:
    """How many values lie more than half a step beyond the least and greatest stored integer."""
    limits = np.iinfo(stored)
    least = (limits.min - zero_point - 0.5) * scale
    greatest = (limits.max - zero_point + 0.5) * scale
    return int(np.count_nonzero((values < least) | (values > greatest)))


class Measurement:
    """Adds up the error of one layer."""

    def __init__(self, place: int, pair: Pair) -> None:
        self._place = place
        self._pair = pair
        self._error = Error()
        self._clipped = 0

    def add(self, expected: np.ndarray, stored: np.ndarray) -> None:
        """Takes what both models gave for one input.

        Args:
          expected: of the float model.
          stored: of the quantized model, in the same shape, as it stores it.
        """
        scale, zero_point = self._pair.right.scaling
        self._error.add(interpreter.real(stored, scale, zero_point), expected)
        if scale:
            values = expected.astype(np.float64)
            self._clipped += _clipped(values, stored.dtype, scale, zero_point)

    def result(self) -> LayerError:
        """Returns the error over all inputs so far, at least one."""
        error, pair = self._error, self._pair
        count = max(1, error.elements)
        rms = math.sqrt(error.squares / count)
        extent = error.maximum - error.minimum
        part = 1 / extent if extent > 0 and math.isfinite(extent) else math.nan
        return LayerError(
            place=self._place,
            layer=first_name(pair.left.name),
            quantized_layer=first_name(pair.right.name),
            operator=pair.operator.name,
            type=pair.right.dtype,
            paired_by=pair.by,
            minimum=error.minimum,
            maximum=error.maximum,
            rms=rms,
            relative_rms=rms * part,
            # A uniform error of one step.
            rounding=pair.right.scaling[0] / math.sqrt(12) * part,
            mean=error.total / count,
            largest=error.largest,
            sqnr=error.decibels,
            clipped=self._clipped / count,
        )


def _badness(layer: LayerError) -> float:
    if not math.isnan(layer.relative_rms):
        return layer.relative_rms
    # A constant without an error is as good as it gets; what is no number, as bad.
    return math.inf if layer.rms else 0.0


def worst_first(layers: Sequence[LayerError]) -> list[LayerError]:
    """Returns layers by falling `relative_rms`; what is no number counts as the worst."""
    return sorted(layers, key=lambda layer: (-_badness(layer), layer.place))
