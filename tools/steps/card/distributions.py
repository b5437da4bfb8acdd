"""How a model's weights are distributed, layer by layer.

Everything is computed element by element in float64 and then counted, so it comes out the same on
every machine.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from tools.lib.tflite_file.model import Model, Tensor

BINS = 32
# The stored integers of a type, and which of them are the ends of a symmetric or a full range.
_STORED = {"INT4": (-8, 7), "INT8": (-128, 127), "UINT8": (0, 255)}
_ENDS = {"INT4": (-7, 7), "INT8": (-127, 127), "UINT8": (0, 255)}
_REALS = ("BFLOAT16", "FLOAT16", "FLOAT32", "FLOAT64")
# Biases are a small part of a file, and never clipped.
_LEAST_DIMENSIONS = 2


@dataclasses.dataclass(frozen=True)
class Distribution:
    """How a tensor's values are distributed.

    Attributes:
      name: the tensor's name.
      dtype: its type, as "INT8".
      shape: its shape.
      low: the least real value.
      high: the largest.
      scales: how many scales it has: one, one for each channel, or none.
      bins: how many values are in each of `BINS` equal parts: of the stored integers' range, or of
        low to high where they are no integers.
      zeros: the share of values that are 0.0.
      clipped: the share that is stored at an end of the integers' range; None where they are none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: float
    high: float
    scales: int
    bins: tuple[int, ...]
    zeros: float
    clipped: float | None


def _real(tensor: Tensor, stored: np.ndarray) -> np.ndarray:
    """Returns the real values of a constant, float64, in its shape."""
    if tensor.dtype == "BFLOAT16":
        # The upper half of a float32.
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    values = stored.astype(np.float64)
    quantization = tensor.quantization
    if tensor.dtype in _REALS or quantization is None or not quantization.scale.size:
        return values
    along = [1] * values.ndim
    if quantization.scale.size > 1:
        along[quantization.axis] = -1
    zero = quantization.zero_point.reshape(along if quantization.zero_point.size > 1 else -1)
    return (values - zero) * quantization.scale.astype(np.float64).reshape(along)


def histogram(values: np.ndarray, low: float, high: float) -> tuple[int, ...]:
    """Returns how many values are in each of `BINS` equal parts of low to high.

    Args:
      values: float64, of any shape, none outside.
      low: where the first part begins.
      high: where the last one ends; all values are in the first when it is low.
    """
    if high <= low:
        return (values.size,) + (0,) * (BINS - 1)
    places = np.floor((values.ravel() - low) / (high - low) * BINS).astype(np.int64)
    return tuple(np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS).tolist())


def of_tensor(tensor: Tensor) -> Distribution | None:
    """Returns how a constant's values are distributed.

    Returns:
      None for what is neither a real number nor a quantized one, is stored sparse, or has values
      that are not finite.
    """
    stored = tensor.values()
    quantized = tensor.dtype in _STORED
    if not (quantized or tensor.dtype in _REALS) or not stored.size:
        return None
    if stored.shape != tensor.shape or not _scales_fit(tensor):
        return None
    real = _real(tensor, stored)
    if not np.isfinite(real).all():
        return None
    low, high = float(real.min()), float(real.max())
    clipped = None
    bins = () if quantized else histogram(real, low, high)
    if quantized:
        least, most = _ENDS[tensor.dtype]
        clipped = np.count_nonzero((stored <= least) | (stored >= most)) / stored.size
        first, last = _STORED[tensor.dtype]
        bins = histogram(stored.astype(np.float64), first, last + 1)
    return Distribution(
        name=tensor.name,
        dtype=tensor.dtype,
        shape=tensor.shape,
        low=low,
        high=high,
        scales=tensor.quantization.scale.size if tensor.quantization else 0,
        bins=bins,
        zeros=np.count_nonzero(real == 0) / real.size,
        clipped=clipped,
    )


def _scales_fit(tensor: Tensor) -> bool:
    """Whether a tensor has as many scales as its axis has places; nothing checks that earlier."""
    found = tensor.quantization
    if found is None or found.scale.size <= 1:
        return found is None or found.zero_point.size == found.scale.size
    if not 0 <= found.axis < len(tensor.shape):
        return False
    return found.scale.size == tensor.shape[found.axis] and found.zero_point.size in (
        1,
        found.scale.size,
    )


def _first_read(model: Model) -> Iterator[tuple[tuple[int, int], list[Tensor]]]:
    """Yields the place of each operator with the constants that no operator before it reads."""
    seen: set[int] = set()
    for graph in model.subgraphs:
        for operator in graph.operators:
            constants = []
            for tensor in (graph.tensors[index] for index in operator.inputs if index >= 0):
                if tensor.data.size and tensor.buffer not in seen:
                    seen.add(tensor.buffer)
                    constants.append(tensor)
            yield (graph.index, operator.index), constants


def of_model(model: Model) -> dict[tuple[int, int], Distribution]:
    """Returns how the weights of each layer are distributed.

    Args:
      model: what `tools/inspect` read.

    Returns:
      By the numbers of subgraph and operator: of the largest constant with two or more dimensions
      that this operator is the first to read.
    """
    found = {}
    for place, constants in _first_read(model):
        large = [tensor for tensor in constants if len(tensor.shape) >= _LEAST_DIMENSIONS]
        if not large:
            continue
        distribution = of_tensor(max(large, key=lambda tensor: tensor.data.size))
        if distribution is not None:
            found[place] = distribution
    return found
