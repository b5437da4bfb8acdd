"""Goes through mapped files in parts, of which only one at a time stays in memory."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

from tools.lib.tflite_file.mapped import Content

_PART = 16 << 20
# A release costs about as much as reading this many bytes.
_SMALL = 256 << 10


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
