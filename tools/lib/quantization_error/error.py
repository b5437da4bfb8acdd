"""The error of a quantized network: its values minus those of its float sibling."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass
class Error:
    """The error over all arrays added so far, in float64.

    Attributes:
      elements: the number of compared values.
      signal: the sum of the squares of the float network's values.
      total: the sum of the errors.
      squares: the sum of the squares of the errors.
      largest: the largest absolute error.
      minimum: the float network's smallest value.
      maximum: the float network's largest value.
    """

    elements: int = 0
    signal: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    largest: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf

    def add(self, values: np.ndarray, reference: np.ndarray) -> "Error":
        """Adds the error of one array and returns the object itself.

        Args:
          values: the quantized network's real numbers, float64.
          reference: the float network's values, in the same shape.
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
    def relative_rms(self) -> float:
        """The root mean square of the error, divided by the float network's range.

        Without a range it is 0.0 if there is no error, otherwise infinite; NaN if a value is NaN.
        """
        rms = math.sqrt(self.squares / max(1, self.elements))
        extent = self.maximum - self.minimum
        return rms / extent if extent > 0 else (math.inf if rms else 0.0)

    @property
    def decibels(self) -> float:
        """The signal-to-error ratio in dB; infinite without an error."""
        ratio = self.signal / self.squares if self.squares else math.inf
        return 10 * math.log10(ratio) if ratio > 0 else -math.inf
