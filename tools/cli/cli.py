"""What every command line tool of the project shares: how it ends, and how it writes.

A mistake that a person can make raises `UserError` with one sentence that says what is wrong,
where, and what to do. `run` prints that sentence, without a traceback, and exits with 1.
`output_file` gives an output its name only when it is complete, so that a failed tool leaves
nothing partial behind.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from absl import app


class UserError(Exception):
    """A mistake in what a person gave: its text is one sentence, shown without a traceback."""


def run(main: Callable[[Sequence[str]], Any]) -> None:
    """Runs `main` under absl.app; a `UserError` ends the process with its sentence and exit code 1.

    Args:
      main: takes what is left of argv after absl's flags, argv[0] first.
    """

    def guarded(argv: Sequence[str]) -> Any:
        try:
            return main(argv)
        except UserError as error:
            print(f"ERROR: {error}", file=sys.stderr)
            sys.exit(1)

    app.run(guarded)


@contextlib.contextmanager
def output_file(path: str, mode: str = "wb") -> Iterator[IO[Any]]:
    """Opens a temporary sibling of `path`; renames it to `path` when the block ends well.

    Args:
      path: the file to write. Its directory must exist.
      mode: "wb" for bytes, "w" for UTF-8 text with "\\n" line ends.

    Raises:
      UserError: the directory of `path` cannot be written.
    """
    directory = os.path.dirname(path) or "."
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".partial-", dir=directory)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, mode, **text) as stream:
            yield stream
        # mkstemp makes 0600 files; an output's mode must not depend on the umask either.
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_file(path: str, what: str) -> bytes:
    """Reads a whole input file.

    Args:
      path: the file.
      what: what the file is, for the message, as in "pipeline config".

    Raises:
      UserError: it is missing, unreadable or empty.
    """
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise UserError(f"{path}: the {what} cannot be read: {error.strerror}.") from error
    if not content:
        raise UserError(f"{path}: the {what} is empty; it may be a truncated download.")
    return content
