"""One thing in which two models differ."""

import dataclasses
from collections.abc import Mapping
from typing import Any

# What may differ between models of one meaning. An operator's version says which runtime knows its
# options, not what it does (schema.fbs); a range is what a converter noted, and the runtime reads
# scales instead; an axis counts only with several scales.
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
    "trailing bytes",
    "layout",
)


@dataclasses.dataclass(frozen=True)
class Difference:
    """One thing in which two models differ.

    Attributes:
      kind: what differs, as "weights", "quantization", "options" or one of `HARMLESS_KINDS`.
      where: the place, as "CONV_2D 3 weights"; operators are numbered as in the left file, added
        ones as in the right.
      left: what is there in the left file; None when nothing is.
      right: the same of the right file.
      detail: more about it, for people.
      figures: more about it, for programs: of weights, the fields of `weights.WeightDifference`.
    """

    kind: str
    where: str
    left: Any
    right: Any
    detail: str = ""
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def changes_meaning(self) -> bool:
        """Whether models that differ in this do not mean the same."""
        return self.kind not in HARMLESS_KINDS

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields for JSON."""
        return {**dataclasses.asdict(self), "changes_meaning": self.changes_meaning}
