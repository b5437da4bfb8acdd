"""What lies behind a .tflite's flatbuffer: data of buffers and custom options, and other files.

Converters put data there if a flatbuffer, whose offsets reach 2 GiB, cannot hold them, and some do
so always. TFLite metadata packs files there as a zip archive.
"""

import io
import lzma
import struct
import zipfile
import zlib
from typing import Any

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import buffer_zero, padding
from reproducible_tflite.lib.tflite_file.mapped import Content
from reproducible_tflite.lib.tflite_file.schema import is_custom

# Parts may overlap; their total may be this multiple of the file's size.
_MAX_EXPANSION = 4
# Files of metadata are labels and vocabularies. An archive may claim to hold more than memory does.
_MAX_FILES = 256 << 20
# Some writers leave an unreferenced table at the end (8 bytes in a published detector).
_MAX_LEFTOVER = 64
# What zipfile raises for damaged archives.
UNREADABLE = (
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def bring_in(model: Any, content: Content, source: str) -> int:
    """Gives a ModelT the data that a runtime reads, wherever they are.

    Offsets to data behind the flatbuffer are replaced by views of the file. As in the runtime, data
    in the flatbuffer take precedence, and offsets and sizes up to 1 are placeholders for "no data".
    Buffer 0 and padding, which no runtime reads, become empty.

    Args:
      model: the ModelT of `content`, with all indices in range.
      content: the whole file, untrusted.
      source: its name, for messages.

    Returns:
      The end of the last part, in bytes from the file's start; 0 without any.

    Raises:
      cli.UserError: a part leads out of the file, or parts overlap too much.
    """
    claimed = end = 0

    def data(own: Any, offset: int, size: int, what: str) -> Any:
        nonlocal claimed, end
        if own is not None or offset <= 1 or size <= 1:
            return own
        claimed, end = claimed + size, max(end, offset + size)
        if end > len(content):
            raise cli.UserError(
                f"{source}: {what} lies at bytes {offset} to {offset + size} of {len(content)}; "
                "the file is truncated, get it again."
            )
        if claimed > _MAX_EXPANSION * len(content):
            raise cli.UserError(
                f"{source}: not a sound .tflite: data are referred to again and again; "
                "get it again."
            )
        return np.frombuffer(content, np.uint8, size, offset)

    buffer_zero.clear(model)
    for index, buffer in enumerate(model.buffers or []):
        buffer.data = data(buffer.data, buffer.offset, buffer.size, f"buffer {index}")
        buffer.offset = buffer.size = 0
    for graph in model.subgraphs or []:
        for index, op in enumerate(graph.operators or []):
            if is_custom(model.operatorCodes[op.opcodeIndex]):
                place = (op.largeCustomOptionsOffset, op.largeCustomOptionsSize)
                what = f"the custom options of operator {index}"
                op.customOptions = data(op.customOptions, *place, what)
            op.largeCustomOptionsOffset = op.largeCustomOptionsSize = 0
    padding.clear(model)
    return end


def _files(archive: bytes) -> dict[str, bytes] | None:
    """Returns a zip archive's files by name; None if it cannot be written again without a loss."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            names = {entry.filename for entry in entries}
            if len(names) < len(entries) or sum(part.file_size for part in entries) > _MAX_FILES:
                return None
            return {entry.filename: opened.read(entry) for entry in entries}
    except UNREADABLE:
        return None


def with_trailing(flatbuffer: bytes, trailing: bytes, is_complete: bool) -> bytes:
    """Puts the canonical form of what followed a model behind it.

    The files of a zip archive are sorted, stored uncompressed, as Android maps them, and without
    their times. Other bytes, which no runtime reads, are kept as they are.

    Args:
      flatbuffer: the model.
      trailing: the bytes after the model and its data.
      is_complete: whether every part of the model was followed. Otherwise, bytes that are no
        archive may belong to a deprecated part, and are dropped.
    """
    files = _files(trailing)
    if files is None:
        rest = trailing.strip(b"\0")
        is_kept = is_complete and len(rest) > _MAX_LEFTOVER
        return flatbuffer + rest if is_kept else flatbuffer
    if not files:
        return flatbuffer
    stream = io.BytesIO()
    stream.write(flatbuffer)
    # Offsets in the archive count from the file's start, as in published files.
    with zipfile.ZipFile(stream, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return stream.getvalue()
