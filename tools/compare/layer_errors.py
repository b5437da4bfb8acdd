"""How far each layer of a quantized model is from its float sibling, over a set of inputs."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tools.compare.pairing import Pair, first_name
from tools.lib.interpreter import interpreter
from tools.lib.tflite_file import report
from tools.lib.tflite_file.model import Tensor

# Kernels of different CPUs differ in what comes after these.
_DIGITS = 6


@dataclasses.dataclass
class _Sums:
    """What is added up over all inputs, in float64."""

    elements: int = 0
    clipped: int = 0
    signal: float = 0.0
    error: float = 0.0
    squared_error: float = 0.0
    largest: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf


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


def _scale(tensor: Tensor) -> tuple[float, int]:
    """A tensor's scale, 0.0 for one that holds floats, and zero point."""
    found = tensor.quantization
    if not report.is_quantized(tensor) or found is None or found.scale.size != 1:
        return 0.0, 0
    return float(found.scale[0]), int(found.zero_point[0]) if found.zero_point.size else 0


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
        self._sums = _Sums()

    def add(self, expected: np.ndarray, stored: np.ndarray) -> None:
        """Takes what both models gave for one input.

        Args:
          expected: of the float model.
          stored: of the quantized model, in the same shape, as it stores it.
        """
        scale, zero_point = _scale(self._pair.right)
        values = expected.astype(np.float64)
        with np.errstate(all="ignore"):
            error = interpreter.real(stored, scale, zero_point) - values
            sums = self._sums
            sums.elements += values.size
            sums.signal += float(np.square(values).sum())
            sums.error += float(error.sum())
            sums.squared_error += float(np.square(error).sum())
            sums.largest = max(sums.largest, float(np.abs(error).max(initial=0.0)))
            sums.minimum = min(sums.minimum, float(values.min(initial=math.inf)))
            sums.maximum = max(sums.maximum, float(values.max(initial=-math.inf)))
        if scale:
            sums.clipped += _clipped(values, stored.dtype, scale, zero_point)

    def result(self) -> LayerError:
        """Returns the error over all inputs so far, at least one."""
        sums, pair = self._sums, self._pair
        count = max(1, sums.elements)
        rms = math.sqrt(sums.squared_error / count)
        extent = sums.maximum - sums.minimum
        scale, _ = _scale(pair.right)
        part = 1 / extent if extent > 0 and math.isfinite(extent) else math.nan
        noise = sums.squared_error
        ratio = sums.signal / noise if noise else math.inf
        return LayerError(
            place=self._place,
            layer=first_name(pair.left.name),
            quantized_layer=first_name(pair.right.name),
            operator=pair.operator.name,
            type=pair.right.dtype,
            paired_by=pair.by,
            minimum=sums.minimum,
            maximum=sums.maximum,
            rms=rms,
            relative_rms=rms * part,
            # A uniform error of one step.
            rounding=scale / math.sqrt(12) * part,
            mean=sums.error / count,
            largest=sums.largest,
            sqnr=10 * math.log10(ratio) if ratio > 0 else -math.inf,
            clipped=sums.clipped / count,
        )


def _badness(layer: LayerError) -> float:
    if not math.isnan(layer.relative_rms):
        return layer.relative_rms
    # A constant without an error is as good as it gets; what is no number, as bad.
    return math.inf if layer.rms else 0.0


def worst_first(layers: Sequence[LayerError]) -> list[LayerError]:
    """Returns layers by falling `relative_rms`; what is no number counts as the worst."""
    return sorted(layers, key=lambda layer: (-_badness(layer), layer.place))
