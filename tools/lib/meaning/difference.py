"""A difference between two models."""

import dataclasses
from collections.abc import Mapping
from typing import Any

# Kinds of differences that do not change the meaning. An operator's version states which runtime
# knows its options, not what it does (schema.fbs). A range is a converter's note; the runtime reads
# the scales. An axis matters only with several scales. A note is any other field that no runtime
# reads; the detail names it.
HARMLESS_KINDS = (
    "name",
    "operator version",
    "range",
    "axis of one scale",
    "empty options",
    "unused tensors",
    "inner shape signature",
    "schema version",
    "description",
    "minimum runtime",
    "metadata",
    "note",
    "trailing bytes",
    "layout",
)


@dataclasses.dataclass(frozen=True)
class Difference:
    """A difference between two models.

    Attributes:
      kind: what differs, such as "weights", "quantization", "options" or one of `HARMLESS_KINDS`.
      where: the place, such as "CONV_2D 3 weights". Operators have their numbers in the left file,
        added ones those in the right file.
      left: the value in the left file; None without one.
      right: the value in the right file; None without one.
      detail: details for people.
      figures: details for programs; for weights, the fields of `weights.WeightDifference`.
    """

    kind: str
    where: str
    left: Any
    right: Any
    detail: str = ""
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def changes_meaning(self) -> bool:
        """Whether the models have different meanings because of this difference."""
        return self.kind not in HARMLESS_KINDS

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields for JSON."""
        return {**dataclasses.asdict(self), "changes_meaning": self.changes_meaning}
