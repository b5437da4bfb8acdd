"""Reads files that should be .tflite but may be anything, of any size."""

import contextlib
import os

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.cli.content import ENOUGH
from reproducible_tflite.lib.tflite_file import mapped, structure
from reproducible_tflite.lib.tflite_file.mapped import Content
from reproducible_tflite.lib.tflite_file.schema import FILE_IDENTIFIER

# The reach of a flatbuffer's offsets.
_MAXIMUM_BYTES = (2 << 30) - 1


def read(path: str, what: str, as_map: bool = False) -> Content:
    """Reads a .tflite; refuses other files after their first bytes.

    Args:
      path: as a person gave it, see `cli.callers_path`.
      what: what the file is, for messages.
      as_map: whether to map the file if it can be, instead of copying it into memory; see
        `mapped.read`.

    Raises:
      cli.UserError: the file cannot be read, is empty, is not a .tflite, or has 2 GiB or more.
    """
    absolute_path = cli.callers_path(path)
    # If this open fails, read_file reports it; a pipe can be read only once, so it is not checked.
    with contextlib.suppress(OSError):
        if os.path.isfile(absolute_path):
            _check(absolute_path, path)
    if as_map:
        return mapped.read(absolute_path, what)
    return cli.read_file(absolute_path, what)


def _check(path: str, name: str) -> None:
    with open(path, "rb") as stream:
        start = stream.read(ENOUGH)
        size = os.fstat(stream.fileno()).st_size
    if start and start[4:8] != FILE_IDENTIFIER:
        structure.verify(start, name)
    if size > _MAXIMUM_BYTES:
        raise cli.UserError(
            f"{name}: has {size:,} bytes, but a .tflite has less than 2 GiB; give another file."
        )
