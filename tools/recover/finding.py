"""What was found out about a .tflite, with its evidence."""

import dataclasses
from collections.abc import Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Finding:
    """One fact about how a file was made.

    Attributes:
      subject: what it is about, such as "converter".
      value: the fact in words.
      evidence: what in the file says so.
      data: the fact for programs: anything that JSON has.
    """

    subject: str
    value: str
    evidence: Sequence[str] = ()
    data: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields for JSON."""
        return {
            "subject": self.subject,
            "value": self.value,
            "evidence": list(self.evidence),
            "data": self.data,
        }
