"""Buffer 0, which means "no data" to a tensor, while metadata may use it like any other."""

from typing import Any

import numpy as np

from reproducible_tflite.lib.tflite_file.schema import tflite


def clear(model: Any) -> None:
    """Empties buffer 0 of a ModelT; what metadata read there moves to a buffer of its own.

    Args:
      model: every number of a buffer in it is in range.
    """
    if not model.buffers:
        return
    entries = model.metadata or []
    numbers = model.metadataBuffer
    is_read = any(entry.buffer == 0 for entry in entries)
    if is_read or numbers is not None and not np.all(numbers):
        own = len(model.buffers)
        model.buffers.append(model.buffers[0])
        for entry in entries:
            entry.buffer = entry.buffer or own
        if numbers is not None:
            model.metadataBuffer = np.where(numbers == 0, own, numbers).astype(np.int32)
    model.buffers[0] = tflite.BufferT()
