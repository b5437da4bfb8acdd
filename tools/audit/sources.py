"""Which files of a workspace are its sources."""

import os
import pathlib
import shutil
import subprocess


def files(workspace: pathlib.Path) -> list[str]:
    """Returns the files that version control has or would take; without it, all but Bazel's.

    Args:
      workspace: the root of the workspace.

    Returns:
      Paths below the workspace, sorted. Links are among them.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=workspace, capture_output=True, check=True).stdout
        names = {os.fsdecode(name) for name in listed.split(b"\0") if name}
        # What was removed stays listed until that is committed.
        return sorted(name for name in names if os.path.lexists(workspace / name))
    except (OSError, subprocess.CalledProcessError):
        found = []
    for folder, folders, names_in_folder in os.walk(workspace):
        folders[:] = [name for name in folders if name not in (".git", "__pycache__")]
        found += [
            os.path.relpath(os.path.join(folder, name), workspace) for name in names_in_folder
        ]
    return sorted(found)


def copy(workspace: pathlib.Path, to: pathlib.Path) -> None:
    """Copies the files of a workspace, links as links, to a folder that is made."""
    for name in files(workspace):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(workspace / name, target, follow_symlinks=False)
