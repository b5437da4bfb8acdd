"""A pair's error in one sample, and what is allowed."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from reproducible_tflite.lib.equivalence.pairing import MOVES, Pair
from reproducible_tflite.lib.tflite_file.model import Model, Operator, Tensor

# The largest error of one layer's output, by the model's arithmetic (`report.arithmetic`), relative
# to the output's range. Measured: 2e-6, 8e-4 and 0.012. Further kinds have steps, or float parts
# next to steps.
_RELATIVE = {"float": 1e-4, "float16": 5e-3}
_RELATIVE_WITH_STEPS = 0.05
# The same for quantized outputs, in steps of their scale. Measured: 1 for quantization-aware graphs
# and 3 for graphs whose weights the converter rounds.
_STEPS = 8.0
# An output that is 0 but for rounding has no range.
_LEAST = 1e-6


@dataclasses.dataclass(frozen=True)
class Layer:
    """An output of an operator, next to what the graph computes from the operator's own inputs.

    Attributes:
      pair: the tensor and the array.
      error: the largest absolute difference.
      extent: the range of the array's values, 0 included.
      step: the tensor's scale; 0.0 for floating point.
      allowed: the largest error that is no drift.
    """

    pair: Pair
    error: float
    extent: float
    step: float
    allowed: float

    @property
    def drifts(self) -> bool:
        """Whether the error is larger than what is allowed."""
        return not self.error <= self.allowed

    @property
    def text(self) -> str:
        """For people, as in "CONV_2D 3 (conv/Relu6): off by 0.2 of a range of 6"."""
        operator = self.pair.operator
        text = f"{operator.name} {operator.index} ({self.pair.array}): off by {self.error:.2g} of"
        text += f" a range of {self.extent:.3g}"
        return text + (f", {self.error / self.step:.3g} steps" if self.step else "")


class Ruler:
    """Measures pairs."""

    def __init__(self, model: Model, arithmetic: str) -> None:
        """Takes a model and the kind of its arithmetic."""
        self._graph = model.subgraphs[0]
        self._relative = _RELATIVE.get(arithmetic, _RELATIVE_WITH_STEPS)

    def before(self, pair: Pair, known: Collection[int]) -> list[Operator]:
        """Returns the operators that compute a pair's tensor from known tensors.

        Args:
          pair: the pair.
          known: the numbers of tensors that are given; the pair's own is not taken for one.
        """
        found: dict[int, Operator] = {}
        pending = [pair.tensor.index]
        while pending:
            operator = self._graph.makers.get(pending.pop())
            if operator is None or operator.index in found:
                continue
            found[operator.index] = operator
            pending += [index for index in operator.inputs if index not in known]
        return [found[index] for index in sorted(found)]

    def _step(self, tensor: Tensor) -> float:
        """Returns the scale with which a tensor was computed, before it was moved or converted."""
        for _ in self._graph.operators:
            if tensor.scaling[0]:
                break
            maker = self._graph.makers.get(tensor.index)
            if maker is None or maker.name not in MOVES or maker.inputs[0] < 0:
                break
            tensor = self._graph.tensors[maker.inputs[0]]
        return tensor.scaling[0]

    def measure(
        self, pair: Pair, known: Collection[int], stored: np.ndarray, expected: np.ndarray
    ) -> Layer:
        """Measures a pair.

        Args:
          pair: the pair.
          known: as for `before`; each operator since then adds to what is allowed.
          stored: the tensor's values, as the model stores them.
          expected: the array's values, of as many elements.
        """
        scale, zero_point = pair.tensor.scaling
        # Its rounding is a thousandth of what is allowed.
        values = stored.astype(np.float32 if np.can_cast(stored.dtype, np.float32) else np.float64)
        expected = expected.reshape(values.shape)
        with np.errstate(all="ignore"):
            extent = float(expected.max(initial=0.0)) - float(expected.min(initial=0.0))
            if scale and stored.dtype.kind in "iu":
                values -= zero_point
                values *= scale
                limits = np.iinfo(stored.dtype)
                # What the tensor cannot represent is clipped; graphs need not say so.
                least, most = ((end - zero_point) * scale for end in (limits.min, limits.max))
                expected = np.clip(expected, least, most)
            values -= expected
            error = float(np.abs(values, out=values).max(initial=0.0))
        layers = sum(operator.name not in MOVES for operator in self.before(pair, known))
        step = self._step(pair.tensor)
        allowed = _STEPS * step if step else self._relative * extent + _LEAST
        return Layer(pair, error, extent, step, allowed * max(1, layers))


def worst(layers: Sequence[Layer]) -> Layer:
    """Returns the layer whose error is the largest part of what is allowed."""
    return max(layers, key=lambda layer: np.nan_to_num(layer.error / layer.allowed, nan=np.inf))
