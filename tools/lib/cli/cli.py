"""Start, end, input and output of the project's command line tools.

A mistake that a person can make raises `UserError` with one sentence that says what is wrong,
where, and what to do. `run` prints that sentence, without a traceback, and exits with 1.
`output_file` gives an output its name only when it is complete, so a failed tool leaves no partial
file behind.
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
    """A person's mistake. Its text is one sentence, shown without a traceback."""


def run(main: Callable[[Sequence[str]], Any], positional: int | None = 0, trouble: int = 1) -> None:
    """Runs `main` under absl.app; a `UserError` ends the process with its sentence.

    Args:
      main: takes argv[0] and the arguments that are not absl's flags.
      positional: how many arguments may follow argv[0]; None for any number. More are a
        `UserError`, since most are flags without their dashes.
      trouble: the exit code for an error. A program that uses 1 as an answer, as `diff` does, needs
        another.
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
    """Returns the first line of an error's message, without a full stop."""
    text = str(getattr(error, "message", None) or error) or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def workspace() -> str:
    """Returns the path of the workspace in which a person called `bazel run`.

    Raises:
      UserError: `bazel run` did not start the program.
    """
    folder = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if not folder:
        raise UserError("the workspace is not known; start this program with `bazel run`.")
    return folder


def callers_path(path: str) -> str:
    """Resolves a path from a command line against the folder in which `bazel run` was called."""
    return os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", ""), path)


class _Output(io.FileIO):
    """A temporary file whose write errors name the final output."""

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
    """Opens a temporary file in `path`'s folder; renames it to `path` if the block succeeds.

    Args:
      path: the file to write. Its directory must exist.
      mode: "wb" for bytes, "w" for UTF-8 text with "\\n" at line ends.

    Yields:
      The open stream.

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
    """Reads an input file.

    Args:
      path: the file.
      what: what the file is, for messages, such as "pipeline config".

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
