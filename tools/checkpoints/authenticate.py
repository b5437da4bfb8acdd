"""Checks every tensor of a checkpoint against the signature of the genuine checkpoint.

A signature contains CRC32Cs. They detect another or a damaged tensor, but not a forged one.
"""

from typing import NamedTuple

import google_crc32c
import numpy as np
import tensorflow.compat.v1 as tf

from reproducible_tflite.lib.checkpoint import checkpoint, signature
from reproducible_tflite.lib.cli import cli

_DIFFERENCES_SHOWN = 3


class Checked(NamedTuple):
    """How many tensors and bytes are genuine, and how many tensors have no signature."""

    tensors: int
    bytes: int
    unsigned: int


def check(prefix: str, signature_path: str) -> Checked:
    """Checks a checkpoint against a signature.

    The checkpoint may contain more variables: a signature of the inference variables does not cover
    training steps or momentums.

    Raises:
      cli.UserError: a variable of the signature is missing or has another dtype, shape, size or
        CRC32C; or the checkpoint or the signature cannot be read.
    """
    needed = signature.read(signature_path)
    reader = checkpoint.open_checkpoint(prefix)
    stored = checkpoint.variables(reader)
    differences = []
    size = 0
    for name, tensor in sorted(needed.items()):
        if name not in stored:
            differences.append(f"{name} is missing")
        elif stored[name] != tensor.variable:
            differences.append(f"{name} is {stored[name]} instead of {tensor.variable}")
        else:
            value = _value(reader, name)
            size += len(value)
            crc = masked_crc32c(value)
            if len(value) != tensor.size:
                differences.append(f"{name} has {len(value)} bytes, not {tensor.size}")
            elif crc != tensor.masked_crc32c:
                differences.append(
                    f"{name} has the CRC32C {crc:08x} instead of {tensor.masked_crc32c:08x}"
                )
    if differences:
        shown = "; ".join(differences[:_DIFFERENCES_SHOWN])
        raise cli.UserError(
            f"{prefix}: is not the checkpoint of {signature_path}, {len(differences)} of"
            f" {len(needed)} tensors differ: {shown}."
        )
    return Checked(len(needed), size, len(stored) - len(needed))


def masked_crc32c(value: bytes) -> int:
    """Returns the checksum of a tensor's bytes, as in a checkpoint's index.

    It is the CRC32C, rotated right by 15 bits and offset by a constant. This keeps the checksum
    useful for data that contains checksums (tensorflow/tsl/lib/hash/crc32c.h).
    """
    crc = google_crc32c.value(value)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _value(reader: tf.train.NewCheckpointReader, name: str) -> bytes:
    """Returns a tensor's bytes as the checkpoint stores them."""
    try:
        return np.asarray(reader.get_tensor(name)).tobytes()
    except (tf.errors.OpError, RuntimeError) as error:
        raise cli.UserError(f"the tensor {name} is damaged: {cli.first_line(error)}.") from error
