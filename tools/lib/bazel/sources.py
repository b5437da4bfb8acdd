"""The source files of a workspace."""

import os
import pathlib
import shutil
import subprocess

from reproducible_tflite.lib.cli import cli


def files(workspace: pathlib.Path) -> list[str]:
    """Returns the files and links that git tracks or would add, relative to the workspace, sorted.

    Raises:
      cli.UserError: git cannot be started, or cannot list the files.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        result = subprocess.run(command, cwd=workspace, capture_output=True, check=True)
    except OSError as error:
        raise cli.UserError(
            f"git, which lists the sources, cannot be started: {error.strerror}; install it."
        ) from error
    except subprocess.CalledProcessError as error:
        complaint = error.stderr.decode(errors="replace").strip()
        raise cli.UserError(f"{workspace}: git cannot list its files: {complaint}.") from error
    names = {os.fsdecode(name) for name in result.stdout.split(b"\0") if name}
    # git lists removed files until the removal is committed, and a nested repository as a folder.
    return sorted(
        name for name in names if (workspace / name).is_symlink() or (workspace / name).is_file()
    )


def all_files(workspace: pathlib.Path) -> list[str]:
    """Returns all files of a workspace without version control, except below Bazel's links."""
    paths = []
    for folder, folders, names in os.walk(workspace):
        folders[:] = [name for name in folders if name not in (".git", "__pycache__")]
        paths += [os.path.relpath(os.path.join(folder, name), workspace) for name in names]
    return sorted(paths)


def copy(workspace: pathlib.Path, to: pathlib.Path) -> None:
    """Copies the sources of a workspace to a new folder; links stay links.

    Raises:
      cli.UserError: the new folder is in the workspace, or git cannot list the sources.
    """
    if to.resolve().is_relative_to(workspace.resolve()):
        raise cli.UserError(f"{to}: it lies in the workspace itself; name a folder elsewhere.")
    for name in files(workspace):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(workspace / name, target, follow_symlinks=False)
