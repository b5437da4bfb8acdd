"""The folder that holds a cache.

The layout is that of Bazel's own `--disk_cache`: `ac/HH/HASH` is the result of an action,
`cas/HH/HASH` is a file, and HH are the first two digits. So a server can take over a disk cache.

nginx writes uploads into `uploads-in-progress`, on the same file system, and moves them into place
when they are complete.
"""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import re
import shutil
from collections.abc import Iterator

from reproducible_tflite.lib.cli import cli

KINDS = ("ac", "cas")

# A server empties this folder, so its name must not be one that another program uses beside `ac`
# and `cas`, as Bazel uses `tmp`.
_TEMPORARY = "uploads-in-progress"
_PARTS = (*KINDS, _TEMPORARY, "server", "log")

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(name: str) -> bool:
    """Returns whether a name is a sha256 in hexadecimal, like every entry's name."""
    return _DIGEST.fullmatch(name) is not None


@dataclasses.dataclass(frozen=True)
class Directory:
    """The paths in a cache's folder.

    Attributes:
      root: the folder, as an absolute path.
    """

    root: pathlib.Path

    @property
    def temporary(self) -> pathlib.Path:
        """The folder of incomplete uploads."""
        return self.root / _TEMPORARY

    @property
    def server(self) -> pathlib.Path:
        """The folder of the server's own configuration."""
        return self.root / "server"

    @property
    def logs(self) -> pathlib.Path:
        """The folder of the server's logs."""
        return self.root / "log"

    def path(self, kind: str, digest: str) -> pathlib.Path:
        """Returns the path of an entry of kind "ac" or "cas" with a digest in hexadecimal.

        Raises:
          ValueError: it is not a digest; as part of a path, it could lead anywhere.
        """
        if not is_digest(digest):
            raise ValueError(f"{digest!r} is no sha256")
        return self.root / kind / digest[:2] / digest

    def become_owner(self) -> None:
        """Turns root into the folder's owner, permanently; does nothing for other users.

        Then the next server can use every file that this one creates, whoever starts it.

        Raises:
          cli.UserError: root is not allowed to become that user.
        """
        try:
            owner = self.root.stat()
        except OSError:
            # The folder does not exist yet and will belong to root.
            return
        if os.getuid() or not owner.st_uid:
            return
        try:
            os.setgroups([])
            os.setgid(owner.st_gid)
            os.setuid(owner.st_uid)
        except OSError as error:
            raise cli.UserError(
                f"{self.root}: belongs to user {owner.st_uid}, and this program cannot become that"
                f" user: {error.strerror}; start it as that user."
            ) from error

    def make(self) -> None:
        """Creates the folder and the parts of it that are missing.

        Raises:
          cli.UserError: the folder cannot be created or written, or has other files in it.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._refuse_foreign()
            for name in _PARTS:
                (self.root / name).mkdir(exist_ok=True)
            # It has the hashes of passwords.
            self.server.chmod(0o700)
        except OSError as error:
            raise cli.UserError(
                f"{error.filename or self.root}: cannot be made: {error.strerror}; name a folder"
                " that you can write to."
            ) from error

    def _refuse_foreign(self) -> None:
        """Refuses a folder that has something other than a cache in it, or links out of it."""
        with os.scandir(self.root) as entries:
            present = {entry.name: entry for entry in entries}
        if present and not present.keys() >= set(KINDS):
            raise cli.UserError(
                f"{self.root}: this folder has files in it, but is not a cache, which has `ac` and"
                " `cas`; name an empty folder or a cache."
            )
        for name in _PARTS:
            if name in present and not present[name].is_dir(follow_symlinks=False):
                raise cli.UserError(
                    f"{self.root / name}: this is not a folder, and a cache's parts must be"
                    " folders, not symbolic links; move it away, or name another folder."
                )

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Locks the folder for one server and removes unfinished uploads of an earlier server.

        nginx reads the password files in the folder at each request, so a second server on the
        same folder would change who may write through the first.

        Raises:
          cli.UserError: another server is using the folder.
        """
        with open(self.server / "lock", "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise cli.UserError(
                    f"{self.root}: another server uses this folder; stop it or name another folder."
                ) from error
            for leftover in self.temporary.iterdir():
                if leftover.is_dir():
                    shutil.rmtree(leftover)
                else:
                    leftover.unlink()
            yield
