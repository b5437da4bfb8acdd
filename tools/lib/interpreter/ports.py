"""The inputs and outputs of a model, and the numbers that they store."""

import dataclasses

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.tflite_file import model as inspected

# The interpreter's types; in a file, booleans are bytes.
_DTYPES = inspected.DTYPES | {"BOOL": np.dtype(np.bool_)}


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output of a model.

    Attributes:
      index: its tensor's number.
      name: its tensor's name.
      shape: its shape.
      dtype: the type of its elements.
      scale: the real number for a step of 1 in a stored integer; 0.0 for an unquantized tensor.
      zero_point: the stored integer that stands for 0.0.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float
    zero_point: int

    def stored(self, values: np.ndarray) -> np.ndarray:
        """Returns real numbers as the tensor stores them: rounded and clipped when quantized.

        Args:
          values: real numbers, in any shape.

        Returns:
          An array of `dtype` in the same shape.
        """
        if not self.scale:
            return values.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        # A hostile file's scale may be infinite or no number.
        with np.errstate(all="ignore"):
            steps = np.nan_to_num(np.rint(values / self.scale) + self.zero_point)
            return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def picture(self, pixels: np.ndarray, preprocessing: str) -> np.ndarray:
        """Returns pictures as the tensor stores them.

        Args:
          pixels: uint8 of any shape. A uint8 tensor takes them as they are.
          preprocessing: one of `normalization.NORMALIZATIONS`.

        Returns:
          An array of `dtype` in the same shape.
        """
        if self.dtype == np.uint8:
            return pixels
        if self.dtype == np.int8 and not self.scale:
            return (pixels.astype(np.int16) - 128).astype(np.int8)
        return self.stored(normalization.normalize(pixels, preprocessing))

    def real(self, stored: np.ndarray) -> np.ndarray:
        """Returns the real numbers that stored ones stand for, float64 in the same shape."""
        return real(stored, self.scale, self.zero_point)


def of(tensor: inspected.Tensor, shape: tuple[int, ...], dtype: np.dtype) -> Port:
    """Returns an input or output as it is when the model runs.

    Args:
      tensor: as the file describes it.
      shape: its shape when the model runs.
      dtype: the type of its elements. Only integers have steps, whatever the file says.
    """
    scale, zero_point = tensor.scaling if dtype.kind in "iu" else (0.0, 0)
    return Port(tensor.index, tensor.name, shape, dtype, scale, zero_point)


def of_file(tensor: inspected.Tensor, source: str) -> Port:
    """Returns an input as the interpreter describes it, from the file alone.

    Args:
      tensor: the input.
      source: the model's name, for messages.

    Raises:
      cli.UserError: it has an unsupported type, such as text.
    """
    if tensor.dtype not in _DTYPES:
        raise cli.UserError(
            f"{source}: the input {tensor.name} is of type {tensor.dtype}; models with such inputs"
            " cannot be run here."
        )
    return of(tensor, tensor.shape, _DTYPES[tensor.dtype])


def real(stored: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Returns (stored - zero_point) * scale, float64; for scale 0.0 the stored numbers."""
    values = stored.astype(np.float64)
    # A hostile file's scale may be infinite.
    with np.errstate(all="ignore"):
        return (values - zero_point) * scale if scale else values
