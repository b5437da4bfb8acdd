"""What every command line tool of the project shares: how it starts, how it ends, how it writes.

A mistake that a person can make raises `UserError` with one sentence that says what is wrong,
where, and what to do. `run` prints that sentence, without a traceback, and exits with 1.
`output_file` gives an output its name only when it is complete, so that a failed tool leaves
nothing partial behind.
"""

import contextlib
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from absl import app, flags


class UserError(Exception):
    """A mistake in what a person gave: its text is one sentence, shown without a traceback."""


def run(main: Callable[[Sequence[str]], Any], positional: int | None = 0, trouble: int = 1) -> None:
    """Runs `main` under absl.app; a `UserError` ends the process with its sentence.

    Args:
      main: takes what is left of argv after absl's flags, argv[0] first.
      positional: how many arguments may be left besides argv[0]; None for any number. One more is
        a `UserError`: it is a flag without its dashes more often than not.
      trouble: the exit code when something went wrong. A program whose 1 is an answer, as that of
        `diff`, has another.
    """

    def parsed(argv: Sequence[str]) -> Sequence[str]:
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            app.usage(shorthelp=True, detailed_error=error, exitcode=trouble)
            raise AssertionError("usage does not return") from error

    def guarded(argv: Sequence[str]) -> Any:
        try:
            if positional is not None and len(argv) > 1 + positional:
                raise UserError(f"unexpected argument {argv[1 + positional]!r}; see --help.")
            return main(argv)
        except UserError as error:
            print(f"ERROR: {error}", file=sys.stderr)
            sys.exit(trouble)
        except Exception:
            if trouble == 1:
                raise
            traceback.print_exc()
            sys.exit(trouble)

    app.run(guarded, flags_parser=parsed)


def first_line(error: BaseException) -> str:
    """Returns the first line of what an error says, without a full stop."""
    text = str(getattr(error, "message", None) or error) or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def workspace() -> str:
    """Returns the folder of the workspace in which a person called `bazel run`.

    Raises:
      UserError: the program was started in another way.
    """
    found = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if not found:
        raise UserError("the workspace is not known; start this program with `bazel run`.")
    return found


def callers_path(path: str) -> str:
    """Returns a path that a person gave, as seen from where `bazel run` starts a program."""
    return os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", ""), path)


class _Output(io.FileIO):
    """A file whose failed writes name the output that it is going to be."""

    def __init__(self, descriptor: int, path: str) -> None:
        super().__init__(descriptor, "wb")
        self._path = path

    def write(self, data: Any) -> int:
        with _named(self._path):
            return super().write(data)

    def close(self) -> None:
        with _named(self._path):
            super().close()


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}.") from error


@contextlib.contextmanager
def output_file(path: str, mode: str = "wb") -> Iterator[IO[Any]]:
    """Opens a temporary sibling of `path`; renames it to `path` when the block ends well.

    Args:
      path: the file to write. Its directory must exist.
      mode: "wb" for bytes, "w" for UTF-8 text with "\\n" line ends.

    Raises:
      UserError: its directory cannot be written, the disk is full, or `path` is a folder.
    """
    with _named(path):
        descriptor, temporary = tempfile.mkstemp(
            prefix=".partial-", dir=os.path.dirname(path) or "."
        )
    try:
        with io.BufferedWriter(_Output(descriptor, path)) as stream:
            if "b" in mode:
                yield stream
            else:
                with io.TextIOWrapper(stream, encoding="utf-8", newline="\n") as text:
                    yield text
        with _named(path):
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
