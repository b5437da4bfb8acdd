"""Elements of less than a byte, and the bits that fill up the last byte behind them."""

import collections
import math
from typing import Any

import numpy as np

from reproducible_tflite.lib.tflite_file.references import listed
from reproducible_tflite.lib.tflite_file.schema import tflite

_Type = tflite.TensorType
# Bits of an element, the first of which is in the lowest bits of the first byte.
BITS = {_Type.INT2: 2, _Type.INT4: 4, _Type.UINT4: 4}
_WHOLE = 0xFF


def _used_bits(tensor: Any, size: int) -> int:
    """Returns which bits of a tensor's last byte are values, as a mask."""
    if tensor.type not in BITS:
        return _WHOLE
    bits = BITS[tensor.type] * math.prod(listed(tensor.shape))
    is_full = (bits + 7) // 8 != size or bits % 8 == 0
    return _WHOLE if is_full else (1 << bits % 8) - 1


def clear(model: Any) -> None:
    """Zeroes the bits of a ModelT's data that belong to no element; no runtime reads them."""
    masks: dict[int, int] = collections.defaultdict(int)
    for graph in model.subgraphs or []:
        for tensor in graph.tensors or []:
            data = model.buffers[tensor.buffer].data
            if data is not None and len(data):
                masks[tensor.buffer] |= _used_bits(tensor, len(data))
    for entry in model.metadata or []:
        masks[entry.buffer] = _WHOLE
    for number in listed(model.metadataBuffer):
        masks[number] = _WHOLE
    for number, mask in masks.items():
        data = model.buffers[number].data
        if mask != _WHOLE and data[-1] & ~mask & _WHOLE:
            data = np.array(data, np.uint8)
            data[-1] &= mask
            model.buffers[number].data = data


def unpack(data: np.ndarray, bits: int, is_signed: bool) -> np.ndarray:
    """Returns elements of less than a byte as int8 or uint8, with those in the padding.

    Args:
      data: uint8 [n].
      bits: 2 or 4, the bits of an element.
      is_signed: whether elements are signed.
    """
    unused = np.uint8(8 - bits)
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    # The wanted bits go to the top, so that shifting back keeps the sign.
    top = (data[:, np.newaxis] << shifts).ravel()
    return (top.view(np.int8) if is_signed else top) >> unused
