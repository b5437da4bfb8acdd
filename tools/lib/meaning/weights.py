"""Measures how far apart the values of two constants are."""

import collections
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from reproducible_tflite.lib.tflite_file import mapped
from reproducible_tflite.lib.tflite_file.model import DTYPES, FLOATING, PACKED, real_numbers

# Elements compared at a time; bounds the memory for models of any size.
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class WeightDifference:
    """How two arrays of one type and size differ.

    Attributes:
      count: the number of elements with different bits.
      total: the number of all elements.
      unit: "ulp" for floating point, "step" for stored integers, "byte" for untyped bytes.
      histogram: the number of differing elements by their distance in units: "1", "2", "3-4", "5-8"
        and so on; "0" for zeros of different sign, "nan" if either is NaN.
      units: the largest distance in units.
      peak: for floating point, the largest finite magnitude on the left, in the parts of
        `_CHUNK` values in which any differ; else 0.
      maximum: the largest absolute difference of two numbers.
      mean: the mean absolute difference over all elements.
      first: the index of the first element that differs.
      values: that element in both arrays.
    """

    count: int
    total: int
    unit: str
    histogram: Mapping[str, int]
    units: int
    peak: float
    maximum: float
    mean: float
    first: tuple[int, ...]
    values: tuple[float, float]

    def text(self) -> str:
        """Returns a line for people, such as "2 of 864 values differ by 1 ulp"."""
        steps = [name for name in self.histogram if name != "nan"]
        if len(self.histogram) == 1 and steps:
            apart = f"by {steps[0]} {self.unit}"
        else:
            counts = ", ".join(f"{name} {self.unit}: {n}" for name, n in self.histogram.items())
            apart = f"({counts})"
        place = ",".join(map(str, self.first))
        return (
            f"{self.count:,} of {self.total:,} values differ {apart}; "
            f"largest difference {self.maximum:.3g}, mean {self.mean:.3g}; first at [{place}]"
        )

    def figures(self) -> dict[str, Any]:
        """Returns the fields for JSON."""
        return dataclasses.asdict(self)


def _ordered(bits: np.ndarray) -> np.ndarray:
    """Maps the bits of floats to integers so that neighbours stay neighbours; both zeros agree."""
    sign = np.uint64(1 << (8 * bits.dtype.itemsize - 1))
    wide = bits.astype(np.uint64)
    middle = np.uint64(1 << 63)
    magnitude = wide & (sign - np.uint64(1))
    return np.where(wide & sign, middle - magnitude, middle + magnitude)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns |a - b| of two arrays of integers as uint64, which never overflows."""
    if a.dtype != np.uint64:
        a, b = a.astype(np.int64), b.astype(np.int64)
    return np.where(a > b, a.view(np.uint64) - b.view(np.uint64), (b - a).view(np.uint64))


def _buckets(units: np.ndarray) -> np.ndarray:
    """Returns bucket numbers: 0, 1 and 2 for themselves, 3 for 3-4, 4 for 5-8 and so on."""
    large = np.ceil(np.log2(np.maximum(units, 1).astype(np.float64))).astype(np.int64) + 1
    return np.where(units < 3, units.astype(np.int64), large)


def _bucket_name(bucket: int) -> str:
    return str(bucket) if bucket < 3 else f"{2 ** (bucket - 2) + 1}-{2 ** (bucket - 1)}"


def _unit(dtype: str, floating: bool) -> str:
    if floating:
        return "ulp"
    return "step" if dtype in DTYPES or dtype in PACKED else "byte"


def compare(dtype: str, left: np.ndarray, right: np.ndarray) -> WeightDifference | None:
    """Compares two arrays of one type.

    Args:
      dtype: the tensors' type, such as "FLOAT32".
      left: the elements, as `Tensor.values` returns them.
      right: the same number of elements.

    Returns:
      The difference; None if all bits are equal.
    """
    shape = left.shape
    a, b = np.ascontiguousarray(left).ravel(), np.ascontiguousarray(right).ravel()
    if a.dtype.kind == "c":
        part = np.dtype(f"<f{a.dtype.itemsize // 2}")
        a, b, shape = a.view(part), b.view(part), (*shape, 2)
    floating = a.dtype.kind == "f" or dtype in FLOATING
    bits = np.dtype(f"u{a.dtype.itemsize}")
    count, maximum, total, not_numbers = 0, 0.0, 0.0, 0
    largest, peak = 0, 0.0
    first = None
    buckets: collections.Counter[int] = collections.Counter()
    for start in range(0, a.size, _CHUNK):
        x, y = a[start : start + _CHUNK], b[start : start + _CHUNK]
        places = np.flatnonzero(x.view(bits) != y.view(bits))
        mapped.release(x)
        mapped.release(y)
        if not places.size:
            continue
        first = start + int(places[0]) if first is None else first
        count += places.size
        if a.dtype.kind == "f":
            peak = max(peak, float(np.abs(x[np.isfinite(x)]).max(initial=0)))
        x, y = x[places], y[places]
        if floating:
            units = _distance(_ordered(x.view(bits)), _ordered(y.view(bits)))
        else:
            units = _distance(x, y)
        # Differences of large numbers become infinite, as does their sum.
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs(real_numbers(dtype, x) - real_numbers(dtype, y))
            nan = np.isnan(apart)
            maximum = max(maximum, float(apart[~nan].max(initial=0.0)))
            total += float(apart[~nan].sum())
        not_numbers += int(nan.sum())
        largest = max(largest, int(units[~nan].max(initial=0)))
        names, numbers = np.unique(_buckets(units[~nan]), return_counts=True)
        buckets.update(dict(zip(names.tolist(), numbers.tolist(), strict=True)))
    if first is None:
        return None
    histogram = {_bucket_name(bucket): buckets[bucket] for bucket in sorted(buckets)}
    if not_numbers:
        histogram["nan"] = not_numbers
    place = np.unravel_index(first, shape) if math.prod(shape) == a.size else (first,)
    return WeightDifference(
        count=count,
        total=a.size,
        unit=_unit(dtype, floating),
        histogram=histogram,
        units=largest,
        peak=peak,
        maximum=maximum,
        mean=total / a.size,
        first=tuple(map(int, place)),
        values=tuple(real_numbers(dtype, part[first : first + 1])[0].item() for part in (a, b)),
    )
