"""Ctrl-C: one line and exit code 130, at any time.

Importing this module makes Ctrl-C end the process at once. A program that a person starts imports
it first, because it may come while the program imports its libraries, when there is nothing to put
in order. (CPython's own start, some 50 ms before, is not covered: that would take a change of the
interpreter that every action runs.)
"""

import contextlib
import os
import signal
from collections.abc import Iterator

EXIT_CODE = 128 + signal.SIGINT
LINE = "Interrupted."


def _end(*_: object) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"{LINE}\n".encode())
    os._exit(EXIT_CODE)


# Not where the caller decided otherwise: a shell's background jobs ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt in the block, so that it can put things in order."""
    ends = signal.getsignal(signal.SIGINT) is _end
    if ends:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ends:
            signal.signal(signal.SIGINT, _end)
