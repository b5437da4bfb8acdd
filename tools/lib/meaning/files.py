"""Reads files that ought to be .tflite but may be anything, of any size."""

import contextlib
import os

from tools.lib.cli import cli
from tools.lib.tflite_file import structure
from tools.lib.tflite_file.schema import FILE_IDENTIFIER

# A flatbuffer's offsets reach no farther.
_MAXIMUM_BYTES = (2 << 30) - 1


def read(path: str, what: str) -> bytes:
    """Reads a whole .tflite, but nothing of a large file that is none.

    Args:
      path: as a person gave it.
      what: what the file is, for messages.

    Raises:
      cli.UserError: it cannot be read, is empty, is no .tflite, or has 2 GiB or more.
    """
    place = cli.callers_path(path)
    # What cannot be opened here cannot be read below either; and a pipe is read only once.
    with contextlib.suppress(OSError):
        if os.path.isfile(place):
            _check(place, path)
    return cli.read_file(place, what)


def _check(place: str, name: str) -> None:
    with open(place, "rb") as stream:
        start = stream.read(8)
        size = os.fstat(stream.fileno()).st_size
    if start and start[4:] != FILE_IDENTIFIER:
        structure.verify(start, name)
    if size > _MAXIMUM_BYTES:
        raise cli.UserError(
            f"{name}: has {size:,} bytes; a .tflite has less than 2 GiB, so give another file."
        )
