"""Unpacks published archives so that nothing is ever written outside the folder that is given.

Links and paths that lead out are refused, for a digest says nothing about what an archive does.
Bazel 7.7.1's own download_and_extract writes to a path that leads out. So the rule that fetches a
pinned archive runs this file too, as a program, which is why it needs nothing but Python:

    archive.py ARCHIVE FOLDER
"""

import bz2
import contextlib
import gzip
import lzma
import os
import posixpath
import re
import shutil
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, NamedTuple

_BLOCK = 1 << 16
# tarfile reads an extended header (a long name, say) into memory whole.
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
    """What is wrong with an archive: one sentence that names it."""


class _Member(NamedTuple):
    name: str
    size: int
    kind: str
    open: Callable[[], IO[bytes]]


class _Fault(Exception):
    """What is wrong with an archive, without its name."""


def extract_checkpoints(
    path: str, prefixes: Iterable[str], folder: str, limits: Limits
) -> dict[str, str]:
    """Copies the indexes and the data of checkpoints out of a tar (plain, gz, bz2, xz) or zip.

    Args:
      path: the archive.
      prefixes: the checkpoints, `fp32/model.ckpt` for `ANY/FOLDER/fp32/model.ckpt.index`.
      folder: an empty folder for them.
      limits: how much the archive may unpack to.

    Returns:
      By prefix, the checkpoint's prefix in `folder`.

    Raises:
      ArchiveError: as `unpack`; or it holds a wanted checkpoint not at all or more than once.
    """
    wanted = {prefix: re.compile(_files_of(prefix)) for prefix in prefixes}
    found: dict[str, str] = {}
    with _checked_files(path, limits) as members:
        for member in members:
            for prefix, pattern in wanted.items():
                if match := pattern.search("/" + member.name):
                    local = prefix + match["suffix"]
                    if local in found:
                        raise _Fault(f"holds {local} twice, as {found[local]} and as {member.name}")
                    found[local] = member.name
                    _copy(member, os.path.join(folder, local))
        for prefix in wanted:
            for suffix in (".index", ".data-"):
                if not any(local.startswith(prefix + suffix) for local in found):
                    raise _Fault(f"holds no {prefix}{suffix}*")
    return {prefix: os.path.join(folder, prefix) for prefix in wanted}


def unpack(path: str, folder: str, limits: Limits) -> None:
    """Copies all files of a tar (plain, gz, bz2, xz) or zip into an empty folder.

    Args:
      path: the archive.
      folder: the folder; it is made.
      limits: how much the archive may unpack to.

    Raises:
      ArchiveError: the archive is truncated or none, holds something that is unsafe to unpack (a
        path that leads out, a link, a device, two members of one name), or unpacks to more than the
        limits allow. What came before that in the archive is in the folder.
    """
    with _checked_files(path, limits) as members:
        for member in members:
            _copy(member, os.path.join(folder, member.name))


@contextlib.contextmanager
def _checked_files(path: str, limits: Limits) -> Iterator[Iterator[_Member]]:
    """Opens an archive; whatever goes wrong with it while it is read becomes an ArchiveError."""
    try:
        with open(path, "rb") as stream:
            yield _checked(_members(stream, limits), limits)
    except _Fault as error:
        raise ArchiveError(f"{path}: {error}.") from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno:
            raise ArchiveError(f"{path}: cannot be unpacked: {error.strerror}.") from error
        raise ArchiveError(
            f"{path}: is no whole archive, the download may be truncated: {error}."
        ) from error


def _files_of(prefix: str) -> str:
    return rf"/{re.escape(prefix)}(?P<suffix>\.index|\.data-\d{{5}}-of-\d{{5}})$"


def _checked(members: Iterable[_Member], limits: Limits) -> Iterator[_Member]:
    """Passes an archive's regular files on, as long as every member so far is safe to unpack."""
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
            raise _Fault(f"holds {member.name!r}, a path that leads out of the archive")
        if member.kind not in ("file", "directory"):
            raise _Fault(f"holds {member.name!r}, which is a {member.kind}")
        if unpacked > limits.unpacked_bytes:
            raise _too_large(limits)
        if count > limits.members:
            raise _Fault(f"has more than {limits.members} members")
        if member.kind == "file":
            if name in seen:
                raise _Fault(f"holds {name!r} twice")
            seen.add(name)
            yield member._replace(name=name)


def _too_large(limits: Limits) -> _Fault:
    return _Fault(
        f"unpacks to more than {limits.unpacked_bytes} bytes, which no published checkpoint needs"
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
    # tarfile ends at the first header that it cannot read, where other programs may read on.
    end = bounded.last_read
    if len(end) != tarfile.BLOCKSIZE or end.strip(b"\0"):
        raise _Fault("is no whole archive: it breaks off in a header")
    while end := bounded.read(_BLOCK):
        if end.strip(b"\0"):
            raise _Fault("has data behind the archive's end")


class _Bounded:
    """An unpacked tar stream that ends in an error when it goes on for too long.

    The members' sizes alone bound nothing: an extended header counts for none of them.
    """

    def __init__(self, stream: IO[bytes], limits: Limits):
        self._stream = stream
        self._limits = limits
        self.last_read = b""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise _Fault("has a header of a size that no archive needs")
        self._check(self.tell() + size)
        self.last_read = self._stream.read(size)
        return self.last_read

    def seek(self, position: int) -> int:
        self._check(position)
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self, position: int) -> None:
        # Headers and padding come on top of the files' own bytes.
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
