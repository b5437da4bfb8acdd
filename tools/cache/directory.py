"""The folder that a cache stands in.

The layout is that of Bazel's own `--disk_cache`: `ac/HH/HASH` is the result of an action,
`cas/HH/HASH` a file, where HH are the first two digits. So a disk cache can become a server's.

nginx writes uploads into `uploads-in-progress`, on the same file system, and renames them into
their place when they are whole.
"""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import re
import shutil
from collections.abc import Iterator

from tools.lib.cli import cli

KINDS = ("ac", "cas")

# It is emptied, so no other program may have a folder of this name beside `ac` and `cas`; `tmp` is
# what Bazel calls its own.
_TEMPORARY = "uploads-in-progress"
_PARTS = (*KINDS, _TEMPORARY, "server", "log")

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(name: str) -> bool:
    """Returns whether a name is a sha256 in hexadecimal, as that of every entry is."""
    return _DIGEST.fullmatch(name) is not None


@dataclasses.dataclass(frozen=True)
class Directory:
    """Names what stands where.

    Attributes:
      root: the folder, absolute.
    """

    root: pathlib.Path

    @property
    def temporary(self) -> pathlib.Path:
        """Where files are that are not whole."""
        return self.root / _TEMPORARY

    @property
    def server(self) -> pathlib.Path:
        """Where the server's own configuration is."""
        return self.root / "server"

    @property
    def logs(self) -> pathlib.Path:
        """Where the server's logs are."""
        return self.root / "log"

    def path(self, kind: str, digest: str) -> pathlib.Path:
        """Returns where an entry stands: of kind "ac" or "cas", its digest in hexadecimal.

        Raises:
          ValueError: this is no digest; as part of a path it could lead anywhere.
        """
        if not is_digest(digest):
            raise ValueError(f"{digest!r} is no sha256")
        return self.root / kind / digest[:2] / digest

    def become_owner(self) -> None:
        """Makes root, for good, whom the folder belongs to; of others it changes nothing.

        So whatever the server makes here, the next one can use, whoever starts it.

        Raises:
          cli.UserError: root may not.
        """
        try:
            owner = self.root.stat()
        except OSError:
            # Where it is missing it is going to be root's.
            return
        if os.getuid() or not owner.st_uid:
            return
        try:
            os.setgroups([])
            os.setgid(owner.st_gid)
            os.setuid(owner.st_uid)
        except OSError as error:
            raise cli.UserError(
                f"{self.root}: belongs to user {owner.st_uid}, whom this program cannot become:"
                f" {error.strerror}; start it as that user."
            ) from error

    def make(self) -> None:
        """Makes what is missing of it.

        Raises:
          cli.UserError: it cannot be made or written, or is somebody's who has other files there.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._refuse_foreign()
            for name in _PARTS:
                (self.root / name).mkdir(exist_ok=True)
            # Passwords' hashes are nobody else's business.
            self.server.chmod(0o700)
        except OSError as error:
            raise cli.UserError(
                f"{error.filename or self.root}: cannot be made: {error.strerror}; name a folder"
                " that you may write."
            ) from error

    def _refuse_foreign(self) -> None:
        """Refuses a folder with other things than a cache, and parts that lead out of it."""
        with os.scandir(self.root) as entries:
            present = {entry.name: entry for entry in entries}
        if present and not present.keys() >= set(KINDS):
            raise cli.UserError(
                f"{self.root}: there are files in this folder and it is no cache, which has `ac`"
                " and `cas`; name an empty folder or a cache."
            )
        for name in _PARTS:
            if name in present and not present[name].is_dir(follow_symlinks=False):
                raise cli.UserError(
                    f"{self.root / name}: this is no folder, and a cache's part has to be one, not"
                    " a symbolic link to one either; move it away, or name another folder."
                )

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Holds the folder for one server; removes what an earlier one left half written.

        nginx reads its lists of passwords in the folder at each request, so a second server on it
        would decide who may write through the first.

        Raises:
          cli.UserError: another server has it.
        """
        with open(self.server / "lock", "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise cli.UserError(
                    f"{self.root}: another server has this folder; stop it or name another folder."
                ) from error
            for leftover in self.temporary.iterdir():
                if leftover.is_dir():
                    shutil.rmtree(leftover)
                else:
                    leftover.unlink()
            yield
