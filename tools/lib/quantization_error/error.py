"""The error of what a quantized network gives: that less what its float sibling gives."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass
class Error:
    """An error over all arrays that were added, in float64.

    Attributes:
      elements: how many values were compared.
      signal: the sum of the squares of what the float network gave.
      total: the sum of the errors.
      squares: the sum of their squares.
      largest: the greatest absolute error.
      minimum: the least value that the float network gave.
      maximum: the greatest.
    """

    elements: int = 0
    signal: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    largest: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf

    def add(self, values: np.ndarray, reference: np.ndarray) -> "Error":
        """Adds the error of one array, and returns itself.

        Args:
          values: real numbers that the quantized network gave, float64.
          reference: what the float network gave, in the same shape.
        """
        reference = reference.astype(np.float64)
        with np.errstate(all="ignore"):
            error = values - reference
            self.elements += values.size
            self.signal += float(np.square(reference).sum())
            self.total += float(error.sum())
            self.squares += float(np.square(error).sum())
            self.largest = max(self.largest, float(np.abs(error).max(initial=0.0)))
            self.minimum = min(self.minimum, float(reference.min(initial=math.inf)))
            self.maximum = max(self.maximum, float(reference.max(initial=-math.inf)))
        return self

    @property
    def decibels(self) -> float:
        """The ratio of signal and error; infinite without an error."""
        ratio = self.signal / self.squares if self.squares else math.inf
        return 10 * math.log10(ratio) if ratio > 0 else -math.inf
