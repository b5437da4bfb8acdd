"""How a tool calls Bazel: on the workspace of the `bazel run` that started the tool itself."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

from absl import flags

from tools.lib.cli import cli

_BAZEL = flags.DEFINE_list(
    "bazel", ["./bazelw"], "How Bazel is started: the program and its startup options."
)


def command() -> list[str]:
    """Returns the program of --bazel, seen from the workspace, and its startup options.

    Raises:
      cli.UserError: the tool was not started by `bazel run`.
    """
    program, *options = _BAZEL.value
    # A name without a folder is looked up in PATH.
    if os.sep in program:
        program = os.path.normpath(os.path.join(cli.workspace(), program))
    return [program, *options]


def environment() -> dict[str, str]:
    """Returns a person's own environment, without what `bazel run` and the launcher added.

    The launcher of the project's CPython lets a person's settings through to what it believes to
    be started by `bazel run`, and no action that the called Bazel runs is. XDG_CACHE_HOME is always
    there: with another HOME, `bazelw` finds the same Bazel and unpacks none.
    """
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON")
        and name not in ("BUILD_WORKSPACE_DIRECTORY", "BUILD_WORKING_DIRECTORY")
    }
    if not os.path.isabs(own.get("XDG_CACHE_HOME", "")):
        own["XDG_CACHE_HOME"] = os.path.expanduser("~/.cache")
    return own


@contextlib.contextmanager
def output_folder(given: str | None, prefix: str) -> Iterator[pathlib.Path]:
    """Yields the folder that builds go to.

    Args:
      given: a person's choice, which is made if it is missing and stays; None for a temporary
        folder that is removed at the end.
      prefix: how the temporary folder's name begins.

    Raises:
      cli.UserError: the given folder cannot be made.
    """
    if given:
        directory = pathlib.Path(cli.callers_path(given))
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cli.UserError(f"{directory}: cannot be made: {error.strerror}.") from error
        yield directory
        return
    directory = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield directory
    finally:
        remove(directory)


def remove(directory: pathlib.Path, keep: bool = False) -> None:
    """Removes a folder that Bazel may have written in, if it is there.

    Args:
      directory: the folder.
      keep: whether the folder itself stays, empty.
    """
    # Bazel takes the write permission from folders that it made.
    for folder, _, _ in os.walk(directory):
        os.chmod(folder, 0o700)
    if directory.exists():
        shutil.rmtree(directory)
    if keep:
        directory.mkdir()


def call(
    arguments: Sequence[str],
    workspace: str | None = None,
    stdout: int | None = None,
    stderr: IO[str] | int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Calls the person's own Bazel and waits for its end, good or bad.

    Args:
      arguments: Bazel's.
      workspace: the workspace; None for the one in which a person called `bazel run`.
      stdout: as subprocess.run takes it.
      stderr: likewise.
    """
    return subprocess.run(
        [*command(), *arguments],
        check=False,
        cwd=workspace or cli.workspace(),
        env=environment(),
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


def ask(*arguments: str) -> str:
    """Calls the person's own Bazel; returns what it printed.

    Raises:
      cli.UserError: it failed.
    """
    result = call(arguments, stdout=subprocess.PIPE)
    if result.returncode:
        raise cli.UserError(f"bazel {arguments[0]} failed; its own words are above.")
    return result.stdout.strip()
