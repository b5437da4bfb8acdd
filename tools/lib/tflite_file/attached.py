"""A metadata entry and files that are attached to a .tflite."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import canonical, outside
from reproducible_tflite.lib.tflite_file.schema import tflite

# The entry that apps read.
APP_METADATA = "TFLITE_METADATA"


def attach(
    content: bytes, source: str, name: str, data: np.ndarray, files: Mapping[str, bytes]
) -> bytes:
    """Returns a model with one more metadata entry, and files packed behind it, in canonical form.

    Args:
      content: the model in canonical form.
      source: its name, for messages.
      name: the entry's name.
      data: the entry's content, uint8.
      files: the files' contents by name.

    Raises:
      cli.UserError: the model has such an entry, or files of its own.
    """
    model: Any = tflite.ModelT.InitFromPackedBuf(content)
    entries = [(entry.name or b"").decode("utf-8", "replace") for entry in model.metadata or []]
    if name in entries or zipfile.is_zipfile(io.BytesIO(content)):
        raise cli.UserError(f"{source}: has metadata for apps already; leave out metadata.")
    buffer = tflite.BufferT()
    buffer.data = data
    model.buffers = [*(model.buffers or []), buffer]
    entry = tflite.MetadataT()
    entry.name, entry.buffer = name.encode(), len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    longer = canonical.packed(model, len(content) + data.size, source)
    written = canonical.canonical_bytes(longer, source)
    if not files:
        return written
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file, body in files.items():
            archive.writestr(file, body)
    return outside.with_trailing(written, stream.getvalue(), is_complete=True)
