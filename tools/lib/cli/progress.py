"""Shows the progress of a long operation on stderr, in bytes."""

import sys
import time
from typing import Protocol

import tqdm

from reproducible_tflite.lib.cli import cli

# Seconds between two lines in a log.
_LOG_INTERVAL = 10


class Progress(Protocol):
    """What `of_bytes` returns: a context manager."""

    def __enter__(self) -> "Progress": ...

    def __exit__(self, *exception: object) -> None: ...

    def update(self, count: int) -> object:
        """Adds `count` bytes to those that are done."""


class _Lines:
    """Progress for a log: a line every `_LOG_INTERVAL` seconds, and one at the end."""

    def __init__(self, total: int | None) -> None:
        self._total = "" if total is None else f" of {total / 1e6:.1f}"
        self._done = 0
        self._printed = time.monotonic()

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *exception: object) -> None:
        self._print()

    def update(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._printed >= _LOG_INTERVAL:
            self._printed = time.monotonic()
            self._print()

    def _print(self) -> None:
        cli.note(f"{self._done / 1e6:.1f}{self._total} MB")


def of_bytes(total: int | None) -> Progress:
    """Returns a progress bar for a terminal, or lines for a log.

    Args:
      total: the expected number of bytes; None if unknown.
    """
    if sys.stderr.isatty():
        return tqdm.tqdm(total=total, unit="B", unit_scale=True, file=sys.stderr)
    return _Lines(total)
