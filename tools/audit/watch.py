"""Watches a running build through the progress lines in its output."""

import contextlib
import pathlib
import re
import threading
from collections.abc import Callable, Iterator

# Bazel's options for progress lines in a file, at most one a second.
OPTIONS = ("--show_progress", "--curses=no", "--color=no", "--show_progress_rate_limit=1")

_LINE = re.compile(rb"^\[([\d,]+) / ([\d,]+)\] (.*)$", re.MULTILINE)
_INTERVAL = 1.0
# More than a progress line has.
_TAIL = 20_000


def working(output: bytes) -> str | None:
    """Returns what a build does, with its place and time; None before its first action.

    Args:
      output: the end of Bazel's output, with `OPTIONS`.
    """
    lines = _LINE.findall(output)
    if not lines:
        return None
    done, total, words = (part.decode("utf-8", "replace") for part in lines[-1])
    return f"{done} of {total} actions are done; {words}"


def without_progress(output: str) -> list[str]:
    """Returns the lines of Bazel's output that say more than what it does."""
    lines = output.strip().splitlines()
    return [line for line in lines if line and not _LINE.match(line.encode())]


@contextlib.contextmanager
def watched(path: pathlib.Path, report: Callable[[str], None]) -> Iterator[None]:
    """Reports what a build does, each second, while the block runs.

    Args:
      path: the file that Bazel's output goes to.
      report: is called in another thread.
    """
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_INTERVAL):
            with open(path, "rb") as stream:
                stream.seek(max(path.stat().st_size - _TAIL, 0))
                text = working(stream.read())
            if text:
                report(text)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
