"""The constants of a folded batch norm as a converter computed them, on whichever CPU this runs.

A converter multiplies the weights by m = gamma * rsqrt(variance + epsilon) and adds
beta - mean * m, in float32. TensorFlow's rsqrt is the processor's estimate and Newton's step, so
its last bit tells the CPU's maker and TensorFlow's era. folds.bzl has the known pairs.
"""

import ast
import dataclasses
import pathlib

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.rounding import estimates


def _old_step(x: np.ndarray, y: np.ndarray, fused: bool) -> np.ndarray:
    """Eigen's step in TensorFlow about 2.3: y * (1.5 + y * ((-0.5 * x) * y))."""
    del fused
    return y * (np.float32(1.5) + y * ((x * np.float32(-0.5)) * y))


def _new_step(x: np.ndarray, y: np.ndarray, fused: bool) -> np.ndarray:
    """Eigen's step in TensorFlow about 2.13: y + (-0.5 * y) * ((x * y) * y - 1)."""
    product, half = x * y, y * np.float32(-0.5)
    if not fused:
        return y + half * (product * y - np.float32(1))
    # In float64 the products are exact. The sums are not, but their error is far below the last
    # bit of a float32.
    excess = (product.astype(np.float64) * y - 1).astype(np.float32)
    return (y + half.astype(np.float64) * excess).astype(np.float32)


_ESTIMATES = {
    "amd": estimates.amd,
    "arm": estimates.arm,
    "avx-512": estimates.avx512,
    "intel": estimates.intel,
}
_STEPS = {"new": _new_step, "old": _old_step}


@dataclasses.dataclass(frozen=True)
class Fold:
    """A way to compute the constants of folded batch norms; see folds.bzl for the fields."""

    name: str
    estimate: str
    step: str
    steps: int
    fused: bool
    lanes: int
    meaning: str

    def rsqrt(self, x: np.ndarray) -> np.ndarray:
        """Returns TensorFlow's rsqrt; float32 of the same shape.

        Args:
          x: float32, positive and normal; NaN comes of other numbers.
        """
        shape, x = x.shape, x.ravel()
        # Eigen computes what is left over after the last whole vector one by one, without estimate.
        whole = len(x) // self.lanes * self.lanes
        with np.errstate(all="ignore"):
            result = np.float32(1) / np.sqrt(x)
            vectors = np.where(x >= np.finfo(np.float32).tiny, x, np.float32(1))[:whole]
            y = _ESTIMATES[self.estimate](vectors)
            for _ in range(self.steps):
                y = _STEPS[self.step](vectors, y, self.fused)
        result[:whole] = np.where(x[:whole] == vectors, y, np.float32(np.nan))
        return result.reshape(shape)

    def constants(
        self,
        gamma: np.ndarray,
        beta: np.ndarray,
        mean: np.ndarray,
        variance: np.ndarray,
        epsilon: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns factor and addend of a batch norm; all arrays are float32 [channels]."""
        with np.errstate(all="ignore"):
            factor = gamma * self.rsqrt(variance + np.float32(epsilon))
            return factor, beta - mean * factor


def exact_root(x: np.ndarray) -> np.ndarray:
    """Returns 1 / sqrt(x), rounded once; float32 of the same shape."""
    with np.errstate(all="ignore"):
        return (1 / np.sqrt(x.astype(np.float64))).astype(np.float32)


def exact_constants(
    gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, variance: np.ndarray, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns factor and addend of a batch norm, each rounded once; float32 [channels]."""
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance.astype(np.float64) + epsilon)
        return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _table() -> dict[str, Fold]:
    """Reads the value of FOLDS; its Starlark literals are also Python literals."""
    text = pathlib.Path(__file__).with_name("folds.bzl").read_text(encoding="utf-8")
    _, assignment = ast.parse(text).body
    return {name: Fold(name, **row) for name, row in ast.literal_eval(assignment.value).items()}


FOLDS = _table()


def named(name: str) -> Fold:
    """Returns the fold of a name such as "intel, 2.3".

    Raises:
      cli.UserError: there is none.
    """
    if name not in FOLDS:
        allowed = ", ".join(f'"{known}"' for known in FOLDS)
        raise cli.UserError(f"{name!r} is not a known rounding of batch norms; give {allowed}.")
    return FOLDS[name]
