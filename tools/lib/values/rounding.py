"""Rounds values measured by running a network, so coarsely that all CPUs agree."""

from collections.abc import Callable

import numpy as np

# Calibration runs in float32, and the order of summation depends on the cache's size, so results
# differ by a few units in the last of 24 bits. With this few bits the differences vanish. A range
# grows by less than 1 %, which costs no accuracy.
CALIBRATION_BITS = 8
# Many extremes are round numbers, which are multiples of the step. Extremes are reduced by this
# relative margin first, so that one slightly above such a multiple is not rounded up to the next.
_RELATIVE_MARGIN = 2.0**-14


def grid(magnitude: np.ndarray, bits: int) -> np.ndarray:
    """Returns the step, a power of two, that keeps `bits` bits of `magnitude`; 0 for 0.

    Args:
      magnitude: absolute values, in any shape.
      bits: how many significant bits are kept.
    """
    exponent = np.frexp(magnitude)[1]
    return np.where(magnitude == 0, 0.0, np.ldexp(1.0, exponent - bits))


def to_grid(
    values: np.ndarray, step: np.ndarray, rounding: Callable[..., np.ndarray] = np.rint
) -> np.ndarray:
    """Rounds to multiples of `step`, which is exact for powers of two; a step of 0 gives 0.

    Args:
      values: in any shape.
      step: powers of two or zeros, broadcast to `values`.
      rounding: rounds to integers.
    """
    safe = np.where(step == 0, 1.0, step)
    return np.where(step == 0, 0.0, rounding(values / safe) * safe)


def quantization_range(minimum: float, maximum: float, bits: int) -> tuple[np.float32, np.float32]:
    """Returns the range to store for measured extremes: rounded outwards, with zero, not empty.

    TensorFlow Lite needs zero to be representable exactly (Jacob et al., 2018, section 2.1).

    Args:
      minimum: the least value seen.
      maximum: the largest value seen.
      bits: how many significant bits of the larger magnitude are kept.

    Returns:
      The minimum and the maximum.
    """
    minimum, maximum = min(float(minimum), 0.0), max(float(maximum), 0.0)
    if minimum == maximum:
        return np.float32(0.0), np.float32(1.0)
    step = grid(np.float64(max(-minimum, maximum)), bits)
    return (
        np.float32(to_grid(np.float64(minimum), step, np.floor)),
        np.float32(to_grid(np.float64(maximum), step, np.ceil)),
    )


def calibrated_range(minimum: float, maximum: float) -> tuple[np.float32, np.float32]:
    """Returns the range to store for extremes that a calibration measured; all CPUs agree on it."""
    return quantization_range(
        minimum * (1 - _RELATIVE_MARGIN), maximum * (1 - _RELATIVE_MARGIN), CALIBRATION_BITS
    )
