"""The folder that a cache stands in.

The layout is that of Bazel's own `--disk_cache`: `ac/HH/HASH` is the result of an action as a
REAPI message, `cas/HH/HASH` a file, where HH are the first two digits. So a server of either kind
can go on with the folder of the other, and a disk cache can become a server's.

What is being written stands in `tmp`, on the same file system, and is renamed into its place when
it is whole.
"""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO

from tools.cli import cli

KINDS = ("ac", "cas")

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
        return self.root / "tmp"

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

    def make(self) -> None:
        """Makes what is missing of it.

        Raises:
          cli.UserError: it cannot be made or written.
        """
        try:
            for name in (*KINDS, "tmp", "server", "log"):
                folder = self.root / name
                folder.mkdir(parents=True, exist_ok=True)
                if not os.getuid():
                    # Started by root, a server works as whom the folder belongs to.
                    owner = self.root.stat()
                    os.chown(folder, owner.st_uid, owner.st_gid)
            # Passwords' hashes are nobody else's business.
            self.server.chmod(0o700)
        except OSError as error:
            raise cli.UserError(f"{self.root}: cannot be made: {error.strerror}.") from error

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Holds the folder for one server; removes what an earlier one left half written.

        Raises:
          cli.UserError: another server has it.
        """
        with open(self.server / "lock", "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise cli.UserError(f"{self.root}: another server has this folder.") from error
            for left in self.temporary.iterdir():
                if left.is_dir():
                    shutil.rmtree(left)
                else:
                    left.unlink()
            yield

    def write(self, path: pathlib.Path, chunks: Iterable[bytes]) -> None:
        """Writes a file that nobody sees before it is whole, replacing one that is there.

        Args:
          path: where it is to stand.
          chunks: its content; an exception on the way leaves nothing.
        """
        path.parent.mkdir(exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.temporary)
        try:
            with open(descriptor, "wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def open_untouched(path: pathlib.Path) -> IO[bytes]:
    """Opens a file so that reading it does not count as a use, where the system allows that."""
    try:
        return open(os.open(path, os.O_RDONLY | os.O_NOATIME), "rb")
    except PermissionError:
        # Only a file's owner may ask for that.
        return open(path, "rb")
