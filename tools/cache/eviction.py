"""Keeps a cache's folder within a size: what was not used for longest goes first.

An action's result goes before the files that it names: a file counts as used when a result that
names it was. So no result stays whose files are gone, which a server of plain files would not
notice, and which a build that leaves files on the server could not mend.
"""

import contextlib
import dataclasses
import os
import pathlib
import uuid
from collections.abc import Iterable, Mapping, Sequence

from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    ActionResult,
    Tree,
)
from google.protobuf.message import DecodeError

from tools.cache.directory import KINDS, Directory, is_digest, open_untouched

# Every cache has it, whether it stands there or not.
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file of the cache as it was when it was looked at.

    Attributes:
      kind: "ac" or "cas".
      digest: its name.
      size: the bytes that it takes of the disk.
      used: when it was last used, in nanoseconds since 1970.
      identity: device, inode and time of change: another upload has another.
    """

    kind: str
    digest: str
    size: int
    used: int
    identity: tuple[int, int, int] = (0, 0, 0)


@dataclasses.dataclass(frozen=True)
class Evicted:
    """What an eviction did.

    Attributes:
      results: how many action results went.
      files: how many files went.
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


def _status(kind: str, digest: str, status: os.stat_result) -> Entry:
    return Entry(
        kind=kind,
        digest=digest,
        # A file of one byte takes a block; one that has just been written may have none yet.
        size=max(status.st_size, status.st_blocks * 512),
        used=max(status.st_atime_ns, status.st_mtime_ns),
        identity=(status.st_dev, status.st_ino, status.st_mtime_ns),
    )


def entries(directory: Directory, kind: str) -> list[Entry]:
    """Returns the entries of a kind; what goes away in the meantime is not among them.

    What is no entry, as what Bazel left half written in a disk cache, is not looked at.

    Raises:
      OSError: a folder cannot be read.
    """
    found = []
    for folder in sorted((directory.root / kind).iterdir()):
        if folder.is_symlink() or not folder.is_dir():
            continue
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as files:
            found += [_entry(kind, file) for file in files if _is_entry(folder.name, file)]
    return [entry for entry in found if entry]


def _is_entry(folder: str, file: os.DirEntry[str]) -> bool:
    return is_digest(file.name) and file.name[:2] == folder and file.is_file(follow_symlinks=False)


def _entry(kind: str, file: os.DirEntry[str]) -> Entry | None:
    try:
        return _status(kind, file.name, file.stat(follow_symlinks=False))
    except FileNotFoundError:
        return None


def _tree_files(directory: Directory, digest: str) -> set[str] | None:
    if not is_digest(digest):
        return None
    try:
        with open_untouched(directory.path("cas", digest)) as stream:
            tree = Tree.FromString(stream.read())
    except (FileNotFoundError, PermissionError, DecodeError):
        return None
    return {file.digest.hash for part in (tree.root, *tree.children) for file in part.files}


def named_files(directory: Directory, digest: str) -> frozenset[str] | None:
    """Returns the digests of the files that an action's result names.

    Args:
      directory: the cache.
      digest: the action's.

    Returns:
      The digests; None if the result cannot be read, or names a directory that cannot.
    """
    try:
        with open_untouched(directory.path("ac", digest)) as stream:
            result = ActionResult.FromString(stream.read())
    except (FileNotFoundError, PermissionError, DecodeError):
        return None
    named = {file.digest.hash for file in result.output_files}
    # What fits into the result stands there.
    if not result.stdout_raw:
        named.add(result.stdout_digest.hash)
    if not result.stderr_raw:
        named.add(result.stderr_digest.hash)
    for output in result.output_directories:
        files = _tree_files(directory, output.tree_digest.hash)
        if files is None:
            return None
        named |= {output.tree_digest.hash, *files}
    return frozenset(named - {"", _EMPTY})


def plan(
    results: Iterable[Entry],
    files: Iterable[Entry],
    named: Mapping[str, frozenset[str] | None],
    max_size: int,
) -> list[Entry]:
    """Decides what goes.

    Args:
      results: the action results.
      files: the files.
      named: by result, the files that it names; None for one that cannot be read.
      max_size: the bytes that may stay.

    Returns:
      What goes, in this order: results that cannot be served, then what was used longest ago.
    """
    present = {file.digest: file for file in files}
    used = {digest: file.used for digest, file in present.items()}
    gone, sound = [], []
    for result in results:
        needed = named[result.digest]
        if needed is None or not needed <= present.keys():
            gone.append(result)
            continue
        sound.append(result)
        for digest in needed:
            used[digest] = max(used[digest], result.used)
    total = sum(entry.size for entry in (*sound, *present.values()))
    # Of the same age, a result before its files.
    order = sorted(
        [(result.used, result.kind, result.digest, result) for result in sound]
        + [(used[digest], file.kind, digest, file) for digest, file in present.items()]
    )
    for _, _, _, entry in order:
        if total <= max_size:
            break
        gone.append(entry)
        total -= entry.size
    return gone


def _remove(directory: Directory, entry: Entry) -> bool:
    """Removes a file, unless it was used or written anew since it was looked at."""
    path = directory.path(entry.kind, entry.digest)
    # Programs in several containers may have one number and this one folder.
    aside = directory.temporary / f"evicted-{uuid.uuid4().hex}"
    try:
        current = _status(entry.kind, entry.digest, path.stat())
        if current.used != entry.used or current.identity != entry.identity:
            return False
        os.rename(path, aside)
    except FileNotFoundError:
        return False
    # Between the two calls a new upload may have taken its place.
    same = _status(entry.kind, entry.digest, aside.stat()).identity == entry.identity
    if not same:
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    aside.unlink()
    return same


def evict(directory: Directory, max_size: int) -> Evicted:
    """Brings a cache within a size, while a server may be running on it.

    Args:
      directory: the cache.
      max_size: the bytes that it may take at the end; uploads in progress do not count.

    Returns:
      What went and what is left.

    Raises:
      OSError: the folder cannot be read or written; what went until then is gone.
    """
    # Results first: one that is written after this has its files in the second list.
    results = entries(directory, "ac")
    named = {result.digest: named_files(directory, result.digest) for result in results}
    files = entries(directory, "cas")
    total = sum(entry.size for entry in (*results, *files))
    removed = _remove_all(directory, plan(results, files, named, max_size), named)
    freed = sum(entry.size for entry in removed)
    return Evicted(
        results=sum(entry.kind == "ac" for entry in removed),
        files=sum(entry.kind == "cas" for entry in removed),
        freed=freed,
        left=total - freed,
    )


def _remove_all(
    directory: Directory,
    planned: Sequence[Entry],
    named: Mapping[str, frozenset[str] | None],
) -> list[Entry]:
    """Removes what was planned, but no file whose result had to stay."""
    removed: list[Entry] = []
    kept: set[str] = set()
    for entry in planned:
        if entry.kind == "cas" and entry.digest in kept:
            continue
        if _remove(directory, entry):
            removed.append(entry)
        elif entry.kind == "ac" and directory.path("ac", entry.digest).exists():
            # It was used in the meantime.
            kept |= named[entry.digest] or frozenset()
    return removed


def existing(path: pathlib.Path) -> Directory:
    """Returns the cache in a folder that a server has made or taken over.

    Raises:
      OSError: the folder has not the parts of one.
    """
    directory = Directory(path)
    for part in (*(path / kind for kind in KINDS), directory.temporary):
        part.stat()
    return directory
