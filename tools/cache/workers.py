"""The user as whom nginx's workers run if root starts the server on a folder of its own.

Workers read what clients send, so they are never root.
"""

import contextlib
import grp
import os
import pathlib
import pwd
import stat
from collections.abc import Iterator, Sequence

from reproducible_tflite.cache.directory import KINDS, Directory
from reproducible_tflite.lib.cli import cli

_NAME = "nobody"


def _refuse_unreachable(root: pathlib.Path) -> None:
    for parent in root.resolve().parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            raise cli.UserError(
                f"{root}: nginx's workers are user {_NAME} if root starts the server, who cannot"
                f" enter {parent}; run `chmod o+x {parent}`, or name another folder."
            )


def _entries(directory: Directory) -> Iterator[str]:
    """Yields the folders that workers write, and everything in them."""
    for top in (*(directory.root / kind for kind in KINDS), directory.temporary):
        for folder, _, files in os.walk(top):
            yield folder
            yield from (os.path.join(folder, file) for file in files)


def admit(directory: Directory, passwords: Sequence[pathlib.Path]) -> str:
    """Lets the workers of a server that root starts write entries and read passwords.

    Args:
      directory: the cache's folder, whose parts exist; the rest of it stays root's.
      passwords: the files in it that workers read.

    Returns:
      The workers' user and group, in nginx's words.

    Raises:
      cli.UserError: there is no such user, or it cannot be let in.
    """
    try:
        user = pwd.getpwnam(_NAME)
        group = grp.getgrgid(user.pw_gid).gr_name
    except KeyError as error:
        raise cli.UserError(
            f"user {_NAME}, as whom nginx's workers run if root starts the server, is unknown here"
            " or has no group; start the server as another user than root."
        ) from error
    _refuse_unreachable(directory.root)
    try:
        for folder in (directory.root, directory.logs):
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
        for path, mode in ((directory.server, 0o710), *((path, 0o640) for path in passwords)):
            os.chown(path, -1, user.pw_gid)
            path.chmod(mode)
        for entry in _entries(directory):
            # Eviction may remove it meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if os.lstat(entry).st_uid != user.pw_uid:
                    os.chown(entry, user.pw_uid, user.pw_gid, follow_symlinks=False)
    except OSError as error:
        raise cli.UserError(
            f"{error.filename}: cannot be given to user {_NAME}, as whom nginx's workers run if"
            f" root starts the server: {error.strerror}; start it as another user than root."
        ) from error
    return f"{_NAME} {group}"
