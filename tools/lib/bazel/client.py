"""Calls Bazel in the workspace in which `bazel run` started this program."""

import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

from absl import flags

from reproducible_tflite.lib.cli import cli

_BAZEL = flags.DEFINE_list(
    "bazel",
    [],
    "How Bazel is started: the program and its startup options. If not given: the workspace's "
    "./bazelw, or without one the bazel on PATH.",
)


def command() -> list[str]:
    """Returns the program of --bazel, relative to the workspace, and its startup options.

    Raises:
      cli.UserError: this program was not started by `bazel run`.
    """
    if not _BAZEL.value:
        wrapper = os.path.join(cli.workspace(), "bazelw")
        return [wrapper if os.path.exists(wrapper) else "bazel"]
    program, *options = _BAZEL.value
    # A name without a folder is found through PATH.
    if os.sep in program:
        program = os.path.normpath(os.path.join(cli.workspace(), program))
    return [program, *options]


def environment() -> dict[str, str]:
    """Returns the user's environment, without what `bazel run` and the launcher added.

    The launcher of the project's CPython passes the user's settings on to programs that it takes
    for started by `bazel run`; the actions of the called Bazel must not be among them.
    XDG_CACHE_HOME is always set, so that `bazelw` finds the same Bazel with another HOME.
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


def is_in_workspace(folder: pathlib.Path) -> bool:
    """Returns whether a folder, or what it links to, is in the workspace."""
    return folder.resolve().is_relative_to(pathlib.Path(cli.workspace()).resolve())


@contextlib.contextmanager
def output_folder(given: str | None, prefix: str) -> Iterator[pathlib.Path]:
    """Yields a folder for builds.

    Args:
      given: the folder that the user named, which is created if necessary and kept; None for a
        temporary folder that is removed at the end.
      prefix: the beginning of the temporary folder's name.

    Raises:
      cli.UserError: the folder cannot be created.
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
    """Removes a folder with Bazel's outputs, if it exists.

    Args:
      directory: the folder.
      keep: whether to keep the folder itself, empty.
    """
    # Bazel removes the write permission of folders that it made.
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
    """Calls the user's own Bazel and waits for it; does not check its exit code.

    Args:
      arguments: Bazel's arguments.
      workspace: the workspace; None for the one in which `bazel run` was called.
      stdout: the argument for subprocess.run.
      stderr: likewise.

    Raises:
      cli.UserError: it cannot be started.
    """
    return run(
        [*command(), *arguments],
        cwd=workspace or cli.workspace(),
        env=environment(),
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


def run(command_line: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Runs a command line that has `command` in it; does not check its exit code.

    Args:
      command_line: the program and its arguments.
      **options: those of subprocess.run.

    Raises:
      cli.UserError: it cannot be started.
    """
    try:
        return subprocess.run(command_line, check=False, **options)
    except OSError as error:
        raise cli.UserError(
            f"Bazel cannot be started: {error.filename}: {error.strerror}; call this in the"
            " project's workspace, or name a program with --bazel."
        ) from error


def ask(*arguments: str, workspace: str | None = None) -> str:
    """Calls the user's own Bazel and returns its output.

    Args:
      *arguments: Bazel's arguments.
      workspace: see `call`.

    Raises:
      cli.UserError: Bazel failed.
    """
    result = call(arguments, workspace, stdout=subprocess.PIPE)
    if result.returncode:
        raise cli.UserError(f"bazel {arguments[0]} failed; its own words are above.")
    return result.stdout.strip()


def query(options: Sequence[str], *arguments: str) -> str:
    """Calls `bazel query` and returns its output.

    `query` itself refuses options that are only for a build, such as a `--config` of it. In a
    bazelrc they may be `common`: then it takes those that it knows.

    Args:
      options: options of a build, such as --config=released or --enable_bzlmod.
      *arguments: the query's own arguments.

    Raises:
      cli.UserError: Bazel failed.
    """
    lines = []
    for option in options:
        if option.startswith("--config="):
            # An option that changes nothing, because a config must have one to be known here.
            lines.append(f"common:{option.removeprefix('--config=')} --noannounce_rc")
        lines.append(f"common {shlex.quote(option)}")
    with tempfile.NamedTemporaryFile("w", prefix="query-", suffix=".bazelrc") as bazelrc:
        bazelrc.write("".join(f"{line}\n" for line in lines))
        bazelrc.flush()
        called = [f"--bazelrc={bazelrc.name}", "query", "--noshow_progress", *arguments]
        result = call(called, stdout=subprocess.PIPE)
    if result.returncode:
        raise cli.UserError(f"bazel query failed for {arguments[-1]}; its own words are above.")
    return result.stdout.strip()
