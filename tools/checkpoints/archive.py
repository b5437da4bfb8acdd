"""Unpacks published archives and never writes outside the given folder.

Links and paths that lead out are refused, because a digest says nothing about what an archive does.
Bazel 7.7.1's own download_and_extract writes to such paths. So the rule that fetches a pinned
archive runs this file as a program. It needs only Python's standard library:

    archive.py ARCHIVE FOLDER
"""

import bz2
import gzip
import lzma
import os
import posixpath
import shutil
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, NamedTuple

_BLOCK = 1 << 16
# tarfile reads a whole extended header, such as a long name, into memory.
_LARGEST_HEADER = 1 << 20
_DECOMPRESSORS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_ZIP = b"PK"
_DAMAGED = (
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class Limits(NamedTuple):
    """How much an archive may unpack to."""

    unpacked_bytes: int = 2 << 30
    members: int = 10_000


class ArchiveError(Exception):
    """An archive cannot be unpacked. The message is one sentence that names it."""


class _Member(NamedTuple):
    name: str
    size: int
    kind: str
    open: Callable[[], IO[bytes]]


class _Fault(Exception):
    """An archive cannot be unpacked. The message does not name it."""


def unpack(path: str, folder: str, limits: Limits) -> None:
    """Extracts all files of a tar (plain, gz, bz2, xz) or zip into an empty or missing folder.

    Raises:
      ArchiveError: the file is not an archive or is truncated; it contains something unsafe (a path
        that leads out, a link, a device, two members with the same name); or it unpacks to more
        than the limits allow. The members before that are in the folder.
    """
    try:
        with open(path, "rb") as stream:
            for member in _checked(_members(stream, limits), limits):
                _copy(member, os.path.join(folder, member.name))
    except _Fault as error:
        raise ArchiveError(f"{path}: {error}.") from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno:
            raise ArchiveError(f"{path}: cannot be unpacked: {error.strerror}.") from error
        raise ArchiveError(
            f"{path}: is not a complete archive, the download may be truncated: {error}."
        ) from error


def _checked(members: Iterable[_Member], limits: Limits) -> Iterator[_Member]:
    """Yields an archive's regular files, as long as every member so far is safe to unpack."""
    seen = set()
    unpacked = 0
    for count, member in enumerate(members, 1):
        name = posixpath.normpath(member.name)
        unpacked += member.size
        if (
            name.startswith(("/", "../"))
            or name == ".."
            or ".." in member.name.split("/")
            or "\\" in name
            or not name.isprintable()
        ):
            raise _Fault(f"contains {member.name!r}, a path that leads out of the archive")
        if member.kind not in ("file", "directory"):
            raise _Fault(f"contains {member.name!r}, which is a {member.kind}")
        if unpacked > limits.unpacked_bytes:
            raise _too_large(limits)
        if count > limits.members:
            raise _Fault(f"has more than {limits.members} members")
        if member.kind == "file":
            if name in seen:
                raise _Fault(f"contains {name!r} twice")
            seen.add(name)
            yield member._replace(name=name)


def _too_large(limits: Limits) -> _Fault:
    return _Fault(
        f"unpacks to more than {limits.unpacked_bytes} bytes, more than any published checkpoint"
    )


def _members(stream: IO[bytes], limits: Limits) -> Iterator[_Member]:
    magic = stream.read(max(map(len, _DECOMPRESSORS)))
    stream.seek(0)
    if magic.startswith(_ZIP):
        yield from _zip_members(stream)
        return
    for start, decompress in _DECOMPRESSORS.items():
        if magic.startswith(start):
            with decompress(stream) as unpacked:
                yield from _tar_members(unpacked, limits)
            return
    yield from _tar_members(stream, limits)


def _zip_members(stream: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            kind = "directory" if info.is_dir() else "file"
            if stat.S_ISLNK(mode):
                kind = "link"
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = "special file"
            yield _Member(
                info.orig_filename, info.file_size, kind, lambda info=info: archive.open(info)
            )


def _tar_members(stream: IO[bytes], limits: Limits) -> Iterator[_Member]:
    bounded = _Bounded(stream, limits)
    with tarfile.open(fileobj=bounded, mode="r:") as archive:
        for info in archive:
            kind = "link" if info.issym() or info.islnk() else "special file"
            if info.isdir():
                kind = "directory"
            elif info.isreg() and not info.issparse():
                kind = "file"
            yield _Member(info.name, info.size, kind, lambda info=info: archive.extractfile(info))
    # tarfile stops at the first header that it cannot read; other programs may continue.
    end = bounded.last_read
    if len(end) != tarfile.BLOCKSIZE or end.strip(b"\0"):
        raise _Fault("is not a complete archive: it breaks off in a header")
    while end := bounded.read(_BLOCK):
        if end.strip(b"\0"):
            raise _Fault("has data after the archive's end")


class _Bounded:
    """A decompressed tar stream that raises an error when it gets too long.

    The members' sizes are not enough to limit it, because they do not include extended headers.
    """

    def __init__(self, stream: IO[bytes], limits: Limits):
        self._stream = stream
        self._limits = limits
        self.last_read = b""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise _Fault("has a header of an impossible size")
        self._check(self.tell() + size)
        self.last_read = self._stream.read(size)
        return self.last_read

    def seek(self, position: int) -> int:
        self._check(position)
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self, position: int) -> None:
        # Headers and padding add to the files' own bytes.
        headers = 4 * tarfile.BLOCKSIZE * self._limits.members
        if position > self._limits.unpacked_bytes + headers + _LARGEST_HEADER:
            raise _too_large(self._limits)


def _copy(member: _Member, path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with member.open() as source, open(path, "wb") as target:
        shutil.copyfileobj(source, target, _BLOCK)
    if os.path.getsize(path) != member.size:
        raise _Fault(f"breaks off inside {member.name}")


def main(argv: Sequence[str]) -> None:
    """Unpacks the archive argv[1] into the folder argv[2]."""
    try:
        unpack(argv[1], argv[2], Limits())
    except ArchiveError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv)
