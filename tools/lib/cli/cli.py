"""Start, end, input and output of the project's command line tools.

A mistake that a person can make raises `UserError` with one sentence that says what is wrong,
where, and what to do. `run` prints that sentence, without a traceback, and exits with 1. Ctrl-C is
one line and exit code 130 (interrupts.py); a closed pipe is no error (streams.py).
`output_file` gives an output its name only when it is complete, so a failed tool leaves no partial
file behind.

Text comes from untrusted files. So tools write lines with `say` and `note`, and tables with
`console`, which give a terminal none of its control characters.
"""

import contextlib
import io
import math
import os
import stat
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from absl import app, flags

from reproducible_tflite.lib.cli import interrupts, printable, streams
from reproducible_tflite.lib.cli.content import INSTEAD_OF_A_FILE, what_it_is

if TYPE_CHECKING:
    from reproducible_tflite.lib.cli import console as safe_console


class UserError(Exception):
    """A person's mistake. Its text is one sentence, shown without a traceback."""


class MachineError(UserError):
    """The machine lacks memory or time, or ended a process: no verdict on what was given."""


# EX_TEMPFAIL of sysexits.h: the same call may succeed.
MACHINE_ERROR = 75


def say(text: Any = "") -> None:
    """Writes lines to standard output at once.

    Raises:
      UserError: they cannot be written; a closed pipe is no error.
    """
    with _said():
        print(printable.lines(text), flush=True)


def note(text: Any) -> None:
    """Writes lines to standard error."""
    print(printable.lines(text), file=sys.stderr, flush=True)


def console(**options: Any) -> "safe_console.SafeConsole":
    """Returns a rich console that shows text as it is; see `rich.console.Console` for its options.

    Only for programs that depend on rich themselves; actions do not.
    """
    from reproducible_tflite.lib.cli.console import SafeConsole

    return SafeConsole(**options)


@contextlib.contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except streams.Unwritable as error:
        raise UserError(f"standard output cannot be written: {error.strerror}.") from error


def _parsed(argv: Sequence[str]) -> Sequence[str]:
    """Parses absl's flags; returns the other arguments.

    Raises:
      UserError: a flag is not known, or its value is wrong.
      SystemExit: the flag asks for help.
    """
    try:
        rest = flags.FLAGS(argv)
        for name in flags.FLAGS:
            _check_number(flags.FLAGS[name])
    except flags.Error as error:
        raise UserError(f"{first_line(error)}; see --help.") from error
    except SystemExit:
        # Whoever asks for help gets it, which is no error.
        sys.exit(0)
    return rest


def _check_number(flag: flags.Flag) -> None:
    """Checks what no bounds of a flag do: nothing is less than NaN, and infinity may be no bound.

    Raises:
      flags.IllegalFlagValueError: a number is not finite, or has more than 64 bits.
    """
    if isinstance(flag.parser, flags.FloatParser):
        allowed, words = math.isfinite, "a finite number"
    elif isinstance(flag.parser, flags.IntegerParser):
        allowed, words = lambda value: abs(value) <= sys.maxsize, "a number of 64 bits"
    else:
        return
    for value in flag.value if isinstance(flag.value, list) else [flag.value]:
        if value is not None and not allowed(value):
            raise flags.IllegalFlagValueError(f"flag --{flag.name}={value}: is not {words}")


def run(main: Callable[[Sequence[str]], Any], positional: int | None = 0, trouble: int = 1) -> None:
    """Runs `main` under absl.app; a `UserError` ends the process with its sentence.

    A `MachineError` does so with `MACHINE_ERROR`, unless the program has an exit code for trouble.

    Args:
      main: takes argv[0] and the arguments that are not absl's flags.
      positional: how many arguments may follow argv[0]; None for any number. More are a
        `UserError`, since most are flags without their dashes.
      trouble: the exit code for an error. A program that uses 1 as an answer, as `diff` does, needs
        another.
    """

    def guarded(argv: Sequence[str]) -> Any:
        if positional is not None and len(argv) > 1 + positional:
            raise UserError(f"unexpected argument {argv[1 + positional]!r}; see --help.")
        if "" in argv[1:]:
            # As a path, it would stand for the folder of the call.
            raise UserError("an argument is empty; is a variable in the command not set?")
        with interrupts.raised():
            return main(argv)

    standard = streams.Streams()
    try:
        try:
            app.run(guarded, flags_parser=_parsed)
        finally:
            with _said():
                standard.finish()
    except UserError as error:
        note(f"ERROR: {error}")
        sys.exit(MACHINE_ERROR if isinstance(error, MachineError) and trouble == 1 else trouble)
    except KeyboardInterrupt as interrupt:
        note(str(interrupt) or interrupts.LINE)
        sys.exit(interrupts.EXIT_CODE)
    except Exception:
        note(traceback.format_exc().rstrip())
        sys.exit(trouble)


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
    if _is_special(path):
        with _named(path):
            descriptor = os.open(path, os.O_WRONLY)
        with _opened(descriptor, path, mode) as stream:
            yield stream
        return
    # Of a link, the file that it leads to is replaced.
    place = os.path.realpath(path)
    with _named(path):
        descriptor, temporary = tempfile.mkstemp(prefix=".partial-", dir=os.path.dirname(place))
    try:
        with _opened(descriptor, path, mode) as stream:
            yield stream
        with _named(path):
            # mkstemp makes 0600 files; an output's mode must not depend on the umask either.
            os.chmod(temporary, 0o644)
            os.replace(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise


@contextlib.contextmanager
def _opened(descriptor: int, path: str, mode: str) -> Iterator[IO[Any]]:
    with io.BufferedWriter(_Output(descriptor, path)) as stream:
        if "b" in mode:
            yield stream
        else:
            with io.TextIOWrapper(stream, encoding="utf-8", newline="\n") as text:
                yield text


def _is_special(path: str) -> bool:
    """Whether a path is a device or a pipe, such as /dev/stdout, which nothing must replace."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def check_output(path: str | None) -> None:
    """Checks that `output_file` can write a file, before minutes are spent on its content.

    Args:
      path: the value of a flag, see `callers_path`; None if it was not given.

    Raises:
      UserError: the path is a folder, or its folder is missing or cannot be written.
    """
    if not path:
        return
    place = callers_path(path)
    if os.path.isdir(place):
        raise UserError(f"{path}: is a folder; name a file.")
    try:
        if not _is_special(place):
            # A name may be too long.
            with contextlib.suppress(FileNotFoundError):
                os.stat(place)
            tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(place))).close()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written: {error.strerror}; name a file in a folder that is there "
            "and can be written."
        ) from error


def read_file(path: str, what: str) -> bytes:
    """Reads an input file.

    Args:
      path: the file.
      what: what the file is, for messages, such as "pipeline config".

    Raises:
      UserError: it is missing, unreadable or empty, or a download that gave something else.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise UserError(f"{path}: the {what} cannot be read: {error.strerror}.") from error
    check_download(data, path)
    if not data:
        raise UserError(f"{path}: the {what} is empty; it may be a truncated download.")
    return data


def check_download(start: bytes, path: str) -> None:
    """Checks that a file is not what servers give instead of a file.

    Args:
      start: the first `content.ENOUGH` bytes, or more.
      path: the file, for messages.

    Raises:
      UserError: it is a web page or a Git LFS pointer.
    """
    found = what_it_is(start)
    if advice := INSTEAD_OF_A_FILE.get(found):
        raise UserError(f"{path}: is {found}; {advice}.")
