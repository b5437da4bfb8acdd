"""Tells the last bits of folded batch norms from other differences.

A converter multiplies a layer's weights by a factor and computes its bias. Both depend on a
reciprocal square root, whose last bits depend on the CPU and on TensorFlow (lib/rounding). A weight
keeps its relative error; a bias is a difference of two numbers, so its error is relative to these.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from reproducible_tflite.lib.meaning.difference import Difference

SAME_BUT_FOR_ROUNDING = "same but for rounding"

# The constants that a converter folds a batch norm into.
_FOLDED = re.compile(
    r"(?:(?:CONV_2D|DEPTHWISE_CONV_2D|FULLY_CONNECTED|TRANSPOSE_CONV) .*(?:weights|bias)"
    r"|(?:ADD|MUL|SUB) .*input \d)"
)
_ADDEND = re.compile(r".* bias|(?:ADD|SUB) .*")
# In units in the last place. Between any two of the known ways to fold, weights of MLPerf Tiny's
# models are up to 5 apart, and biases up to 2.25 units of the layer's largest.
_MOST = 8.0


def _units(difference: Difference) -> float | None:
    """Returns how far apart two constants are; None if they are none of a folded batch norm."""
    figures = difference.figures
    if (
        difference.kind != "weights"
        or figures.get("unit") != "ulp"
        or "nan" in figures["histogram"]
    ):
        return None
    if not _FOLDED.fullmatch(difference.where):
        return None
    if _ADDEND.fullmatch(difference.where):
        # Of float64, the largest may be no float32.
        with np.errstate(all="ignore"):
            return figures["maximum"] / float(np.spacing(np.float32(figures["peak"])))
    return figures["units"]


def is_rounding(differences: Sequence[Difference]) -> bool:
    """Returns whether differences in meaning can all be the rounding of folded batch norms.

    Args:
      differences: those that change the meaning, at least one.
    """
    apart = [_units(difference) for difference in differences]
    return bool(apart) and all(units is not None and units <= _MOST for units in apart)


@dataclasses.dataclass(frozen=True)
class Extent:
    """How much differs between two files that are the same but for rounding.

    Attributes:
      values: the number of values that differ.
      weights: the largest difference of a weight, in units in the last place.
      biases: the largest difference of a bias, in units in the last place of its layer's largest.
    """

    values: int
    weights: int
    biases: float

    def text(self) -> str:
        """Returns a line for people."""
        return (
            f"{self.values:,} values differ, weights by at most {self.weights} ulp, biases by at"
            f" most {self.biases:.3g} ulp of the layer's largest"
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields for JSON."""
        return dataclasses.asdict(self)


def extent(differences: Sequence[Difference]) -> Extent:
    """Returns how much differs, for differences that `is_rounding`; others are left out."""
    parts = [(part, units) for part in differences if (units := _units(part)) is not None]
    addend = [bool(_ADDEND.fullmatch(part.where)) for part, _ in parts]
    return Extent(
        values=sum(part.figures["count"] for part, _ in parts),
        weights=max(
            (u for (_, u), is_it in zip(parts, addend, strict=True) if not is_it), default=0
        ),
        biases=max((u for (_, u), is_it in zip(parts, addend, strict=True) if is_it), default=0.0),
    )
