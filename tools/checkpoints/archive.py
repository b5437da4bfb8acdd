"""Takes checkpoints out of a published archive that nobody trusts yet.

Nothing is ever unpacked under a name that the archive chooses: the files of the wanted checkpoints
are copied, one by one, into a folder of the caller's. The other members are looked at all the same,
since a pinned archive is unpacked whole by the build.
"""

import bz2
import gzip
import lzma
import os
import posixpath
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, NamedTuple

from tools.cli import cli

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

    unpacked_bytes: int
    members: int


class _Member(NamedTuple):
    name: str
    size: int
    kind: str
    open: Callable[[], IO[bytes]]


class _ArchiveError(Exception):
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
      UserError: the archive is truncated or none, holds something that is unsafe to unpack (a path
        that leads out, a link, a device, two members of one name), unpacks to more than the limits
        allow, or holds a wanted checkpoint not at all or more than once.
    """
    wanted = {prefix: re.compile(_files_of(prefix)) for prefix in prefixes}
    found: dict[str, str] = {}
    try:
        with open(path, "rb") as stream:
            for member in _checked(_members(stream, limits), limits):
                for prefix, pattern in wanted.items():
                    if match := pattern.search("/" + member.name):
                        local = prefix + match["suffix"]
                        if local in found:
                            raise _ArchiveError(
                                f"holds {local} twice, as {found[local]} and as {member.name}"
                            )
                        found[local] = member.name
                        _copy(member, os.path.join(folder, local))
    except _ArchiveError as error:
        raise cli.UserError(f"{path}: {error}.") from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno:
            raise cli.UserError(f"{path}: cannot be unpacked: {error.strerror}.") from error
        raise cli.UserError(
            f"{path}: is no whole archive, the download may be truncated: {error}."
        ) from error
    for prefix in wanted:
        for suffix in (".index", ".data-"):
            if not any(local.startswith(prefix + suffix) for local in found):
                raise cli.UserError(f"{path}: holds no {prefix}{suffix}*.")
    return {prefix: os.path.join(folder, prefix) for prefix in wanted}


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
            raise _ArchiveError(f"holds {member.name!r}, a path that leads out of the archive")
        if member.kind not in ("file", "directory"):
            raise _ArchiveError(f"holds {member.name!r}, which is a {member.kind}")
        if unpacked > limits.unpacked_bytes:
            raise _too_large(limits)
        if count > limits.members:
            raise _ArchiveError(f"has more than {limits.members} members")
        if member.kind == "file":
            if name in seen:
                raise _ArchiveError(f"holds {name!r} twice")
            seen.add(name)
            yield member._replace(name=name)


def _too_large(limits: Limits) -> _ArchiveError:
    return _ArchiveError(
        f"unpacks to more than {limits.unpacked_bytes} bytes, which --max_unpacked_bytes can raise"
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
        raise _ArchiveError("is no whole archive: it breaks off in a header")
    while end := bounded.read(_BLOCK):
        if end.strip(b"\0"):
            raise _ArchiveError("has data behind the archive's end")


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
            raise _ArchiveError("has a header of a size that no archive needs")
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
        raise _ArchiveError(f"breaks off inside {member.name}")
