"""Computes the distributions of a model's weights, layer by layer.

Everything is computed element by element in float64 and then counted, so the result is the same on
every machine.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from reproducible_tflite.lib.tflite_file.model import FLOATING, Model, Tensor, real_numbers

BINS = 32
# The range of stored integers by type, and the ends at which values count as clipped.
_STORED = {"INT4": (-8, 7), "INT8": (-128, 127), "UINT8": (0, 255)}
_ENDS = {"INT4": (-7, 7), "INT8": (-127, 127), "UINT8": (0, 255)}
# Biases, which have one dimension, are a small part of a file and never clipped.
_LEAST_DIMENSIONS = 2


@dataclasses.dataclass(frozen=True)
class Distribution:
    """The distribution of a tensor's values.

    Attributes:
      name: the tensor's name.
      dtype: its type, such as "INT8".
      shape: its shape.
      low: the smallest real value.
      high: the largest real value.
      scales: the number of scales: 1, one per channel, or 0.
      bins: the number of values in each of `BINS` equal parts of the stored integers' range, or of
        low to high for floating point.
      zeros: the share of values that are 0.0.
      clipped: the share stored at an end of the integers' range; None for floating point.
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
    values = real_numbers(tensor.dtype, stored)
    quantization = tensor.quantization
    if tensor.dtype in FLOATING or quantization is None or not quantization.scale.size:
        return values
    along = [1] * values.ndim
    if quantization.scale.size > 1:
        along[quantization.axis] = -1
    zero = quantization.zero_point.reshape(along if quantization.zero_point.size > 1 else -1)
    return (values - zero) * quantization.scale.astype(np.float64).reshape(along)


def histogram(values: np.ndarray, low: float, high: float) -> tuple[int, ...]:
    """Returns the number of values in each of `BINS` equal parts of low to high.

    Args:
      values: float64, in any shape, between `low` and `high`.
      low: the start of the first part.
      high: the end of the last part. If it equals `low`, the first part has all values.
    """
    if high <= low:
        return (values.size,) + (0,) * (BINS - 1)
    places = np.floor((values.ravel() - low) / (high - low) * BINS).astype(np.int64)
    return tuple(np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS).tolist())


def of_tensor(tensor: Tensor) -> Distribution | None:
    """Returns the distribution of a constant's values.

    Returns:
      None for a tensor that is neither floating point nor quantized, is sparse, or has values that
      are not finite.
    """
    stored = tensor.values()
    quantized = tensor.dtype in _STORED
    if not (quantized or tensor.dtype in FLOATING) or not stored.size:
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
    """Returns whether the scales fit the axis's length, which the reader does not check."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale.size <= 1:
        return quantization is None or quantization.zero_point.size == quantization.scale.size
    if not 0 <= quantization.axis < len(tensor.shape):
        return False
    return quantization.scale.size == tensor.shape[
        quantization.axis
    ] and quantization.zero_point.size in (
        1,
        quantization.scale.size,
    )


def _first_read(model: Model) -> Iterator[tuple[tuple[int, int], list[Tensor]]]:
    """Yields the place of each operator with the constants that it is the first to read."""
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
    """Returns the distributions of a model's weights.

    Returns:
      By the numbers of subgraph and operator, the distribution of the largest constant with two or
      more dimensions that the operator is the first to read.
    """
    distributions = {}
    for place, constants in _first_read(model):
        large = [tensor for tensor in constants if len(tensor.shape) >= _LEAST_DIMENSIONS]
        if not large:
            continue
        distribution = of_tensor(max(large, key=lambda tensor: tensor.data.size))
        if distribution is not None:
            distributions[place] = distribution
    return distributions
