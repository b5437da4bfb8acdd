"""Maps large files into memory, where their pages take the place of no others."""

import contextlib
import hashlib
import mmap
import os

from tools.lib.cli import cli

# A file's content. A map can stand for bytes wherever these are only sliced or viewed.
Content = bytes | mmap.mmap

_STEP = 16 << 20


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


def sha256(content: Content) -> str:
    """Returns the SHA-256 digest in hexadecimal; a map's pages leave memory behind it."""
    state = hashlib.sha256()
    view = memoryview(content)
    for start in range(0, len(view), _STEP):
        part = view[start : start + _STEP]
        state.update(part)
        if isinstance(content, mmap.mmap):
            content.madvise(mmap.MADV_DONTNEED, start, len(part))
    return state.hexdigest()
