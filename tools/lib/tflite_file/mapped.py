"""Maps large files into memory, and goes through them in parts, of which only one stays there."""

import contextlib
import hashlib
import mmap
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from reproducible_tflite.lib.cli import cli

# A file's content. A map can stand for bytes wherever these are only sliced or viewed.
Content = bytes | bytearray | mmap.mmap

_PART = 16 << 20
# A release costs about as much as reading this many bytes.
_SMALL = 256 << 10


def read(path: str, what: str) -> Content:
    """Maps a file; reads what cannot be mapped, such as a pipe.

    If someone truncates the file meanwhile, the program ends, so this is for short use.

    Args:
      path: the file.
      what: what the file is, for messages.

    Raises:
      cli.UserError: see `cli.read_file`.
    """
    # An empty file cannot be mapped either; read_file says what is wrong.
    with contextlib.suppress(OSError, ValueError):
        if os.path.isfile(path):
            with open(path, "rb") as stream:
                return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    return cli.read_file(path, what)


def release(values: np.ndarray) -> None:
    """Lets the system drop the pages of the file that an array views, if it views one."""
    owner: Any = values
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    if isinstance(owner, mmap.mmap):
        owner.madvise(mmap.MADV_DONTNEED)


def parts(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the bytes of an array, and releases what was gone through."""
    flat = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    for start in range(0, flat.size, _PART):
        yield flat[start : start + _PART]
        if flat.size > _SMALL:
            release(flat)


def equal(left: Content, right: Content) -> bool:
    """Returns whether two contents are equal."""
    if len(left) != len(right):
        return False
    both = [parts(np.frombuffer(content, np.uint8)) for content in (left, right)]
    return all(np.array_equal(a, b) for a, b in zip(*both, strict=True))


def sha256(content: Content) -> str:
    """Returns the SHA-256 digest in hexadecimal."""
    state = hashlib.sha256()
    for part in parts(np.frombuffer(content, np.uint8)):
        state.update(part)
    return state.hexdigest()
