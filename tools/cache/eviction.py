"""Keeps a cache below a size limit: the least recently used entries are removed first.

Eviction does not look into results, so a result may outlive its files. Bazel then runs the action
again: over HTTP a missing file is a miss, and a build that left the file on the server is retried
(--experimental_remote_cache_eviction_retries).
"""

import contextlib
import dataclasses
import os
import stat
from collections.abc import Iterable

from reproducible_tflite.cache.directory import KINDS, Directory, is_digest


@dataclasses.dataclass(frozen=True, order=True)
class Entry:
    """A file of the cache, as it was when the folder was listed.

    Entries sort in the order of eviction: oldest first, and at the same age results ("ac") before
    files ("cas").

    Attributes:
      used: when it was last used, in nanoseconds since 1970.
      kind: "ac" or "cas".
      digest: its name.
      size: the bytes that it takes on the disk.
    """

    used: int
    kind: str
    digest: str
    size: int


@dataclasses.dataclass(frozen=True)
class Evicted:
    """What an eviction did.

    Attributes:
      results: how many action results were removed.
      files: how many files were removed.
      freed: the bytes that they took.
      left: the bytes that the cache takes now.
    """

    results: int
    files: int
    freed: int
    left: int

    def __str__(self) -> str:
        return (
            f"{self.results} results and {self.files} files went, {self.freed} bytes;"
            f" {self.left} bytes are left."
        )


def _used(status: os.stat_result) -> int:
    return max(status.st_atime_ns, status.st_mtime_ns)


def entries(directory: Directory) -> list[Entry]:
    """Returns the entries of a cache, without those that disappear in the meantime.

    Files with other names, such as Bazel's unfinished files in a disk cache, are not entries.

    Raises:
      OSError: a folder cannot be read.
    """
    listed = []
    for kind in KINDS:
        for folder in (directory.root / kind).iterdir():
            if folder.is_symlink() or not folder.is_dir():
                continue
            for path in folder.iterdir():
                if not is_digest(path.name) or path.name[:2] != folder.name:
                    continue
                with contextlib.suppress(FileNotFoundError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode):
                        # A file of one byte takes a block; a new file may not have one yet.
                        size = max(status.st_size, status.st_blocks * 512)
                        listed.append(Entry(_used(status), kind, path.name, size))
    return listed


def plan(listed: Iterable[Entry], max_size: int) -> list[Entry]:
    """Returns the entries to remove so that the others take at most `max_size` bytes."""
    order = sorted(listed)
    total = sum(entry.size for entry in order)
    gone = []
    for entry in order:
        if total <= max_size:
            break
        gone.append(entry)
        total -= entry.size
    return gone


def _remove(directory: Directory, entry: Entry) -> bool:
    """Removes a file, unless it was used or rewritten since the folder was listed."""
    path = directory.path(entry.kind, entry.digest)
    try:
        if _used(path.stat()) != entry.used:
            return False
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def evict(directory: Directory, max_size: int) -> Evicted:
    """Removes entries until a cache takes at most `max_size` bytes, besides uploads in progress.

    Raises:
      OSError: the folder cannot be read or written; what was removed until then stays removed.
    """
    listed = entries(directory)
    removed = [entry for entry in plan(listed, max_size) if _remove(directory, entry)]
    freed = sum(entry.size for entry in removed)
    return Evicted(
        results=sum(entry.kind == "ac" for entry in removed),
        files=sum(entry.kind == "cas" for entry in removed),
        freed=freed,
        left=sum(entry.size for entry in listed) - freed,
    )
