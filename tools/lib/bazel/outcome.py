"""How a build ended, read from Bazel's output."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

_COUNT = re.compile(r"(\d+) ([a-z][a-z -]*)")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a build ended.

    Attributes:
      code: Bazel's exit code.
      counts: the number of processes by kind, such as "remote cache hit".
      notices: Bazel's warnings and errors.
      log: Bazel's whole output.
    """

    code: int
    counts: Mapping[str, int]
    notices: Sequence[str]
    log: str

    @property
    def hits(self) -> int:
        """How many actions came out of the cache."""
        return self.counts.get("remote cache hit", 0)

    @property
    def run(self) -> int:
        """How many actions were run here."""
        return self.counts.get("linux-sandbox", 0)


def outcome(code: int, log: str) -> Outcome:
    """Parses Bazel's output."""
    counts: dict[str, int] = {}
    notices = []
    lines = log.splitlines()
    for number, line in enumerate(lines):
        if summary := re.match(r"INFO: \d+ process(?:es)?: (.*)", line):
            counts = {kind.strip(): int(count) for count, kind in _COUNT.findall(summary[1])}
        if line.startswith(("WARNING:", "ERROR:")):
            # The next line says what is wrong.
            follows = line.endswith(":") and number + 1 < len(lines)
            notices.append(f"{line} {lines[number + 1]}" if follows else line)
    return Outcome(code, counts, notices, log)
