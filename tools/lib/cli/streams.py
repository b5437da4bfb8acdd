"""Standard output and error of a program, when they cannot be written.

A closed pipe is no error: who reads has seen enough, so the program goes on in silence and ends
with its own exit code. A full disk is one, of which a person must hear. On standard error nothing
can be said about it, so what cannot be written there is dropped.
"""

import errno
import io
import os
import sys
from typing import Any


class Unwritable(OSError):
    """Standard output cannot be written; the text says why."""


def _discard(descriptor: int) -> None:
    """Lets a descriptor lead to nowhere, for what is still in a buffer and for child processes."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


class _Output(io.FileIO):
    """Standard output.

    Attributes:
      trouble: why something could not be written, None if all was.
    """

    def __init__(self) -> None:
        super().__init__(1, "wb", closefd=False)
        self.trouble: str | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            _discard(1)
            if error.errno != errno.EPIPE:
                self.trouble = error.strerror
                raise Unwritable(error.errno, error.strerror) from error
            return len(data)


class _Error(io.FileIO):
    """Standard error."""

    def __init__(self) -> None:
        super().__init__(2, "wb", closefd=False)

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _as_text(raw: io.FileIO, like: io.TextIOWrapper | None) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=like.encoding if like else "utf-8",
        # A terminal's encoding may lack characters of a name.
        errors="backslashreplace",
        line_buffering=like.line_buffering if like else False,
    )


def _occupy() -> None:
    """Opens the descriptors that the caller closed, so that no other file gets their numbers."""
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            # Writing to 1 fails like writing to a closed descriptor.
            os.open(os.devnull, mode)


class Streams:
    """Replaces sys.stdout and sys.stderr."""

    def __init__(self) -> None:
        _occupy()
        self._output = _Output()
        sys.stdout = _as_text(self._output, sys.stdout)
        sys.stderr = _as_text(_Error(), sys.stderr)

    def finish(self) -> None:
        """Writes what is in the buffer.

        Raises:
          Unwritable: something could not be written, now or earlier.
        """
        sys.stdout.flush()
        if self._output.trouble:
            raise Unwritable(errno.EIO, self._output.trouble)
