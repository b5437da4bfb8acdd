"""Reads CONVERSION_METADATA, in which TensorFlow from 2.9 on states how it converted.

The flatbuffer's schema is tensorflow/lite/schema/conversion_metadata.fbs in TensorFlow 2.9.
"""

import dataclasses
import struct
from collections.abc import Sequence

import numpy as np
from flatbuffers import number_types
from flatbuffers.table import Table

from reproducible_tflite.lib.tflite_file.model import Model

NAME = "CONVERSION_METADATA"
# The enumeration ModelType.
_SOURCES = {
    1: "a SavedModel",
    2: "a Keras model",
    3: "concrete functions",
    4: "a frozen graph",
    5: "a session",
    6: "JAX",
}
# The enumeration ModelOptimizationMode.
_OPTIMIZATIONS = {
    1001: "float16",
    1002: "dynamic range",
    1003: "full integer",
    1004: "int16 activations",
    2000: "quantization-aware training",
    3001: "random sparsity",
    3002: "block sparsity",
    3003: "structured sparsity",
}


@dataclasses.dataclass(frozen=True)
class ConversionMetadata:
    """How a file was converted, as its converter states it.

    Attributes:
      tensorflow: TensorFlow's version, such as "2.9.2".
      api: the Python interface: 1 for `tf.compat.v1.lite`, 2 for `tf.lite`; 0 if not stated.
      source: what was converted, in words; "" if not stated.
      optimizations: the kinds of quantization and sparsity, in words.
      allows: the settings that admit operators beyond the builtin ones.
    """

    tensorflow: str
    api: int
    source: str
    optimizations: Sequence[str]
    allows: Sequence[str]


def _slot(number: int) -> int:
    return 4 + 2 * number


def _scalar(table: Table, slot: int, flags: type) -> int:
    offset = table.Offset(_slot(slot))
    return table.Get(flags, table.Pos + offset) if offset else 0


def _table(table: Table, slot: int) -> Table | None:
    offset = table.Offset(_slot(slot))
    return Table(table.Bytes, table.Indirect(table.Pos + offset)) if offset else None


def _modes(table: Table) -> list[int]:
    offset = table.Offset(_slot(0))
    if not offset:
        return []
    start, length = table.Vector(offset), table.VectorLen(offset)
    return np.frombuffer(table.Bytes, "<i4", length, start).tolist()


def _parse(data: bytes) -> ConversionMetadata:
    root = Table(data, struct.unpack_from("<I", data)[0])
    environment, options = _table(root, 0), _table(root, 1)
    version, api, source = "", 0, 0
    if environment:
        offset = environment.Offset(_slot(0))
        if offset:
            version = environment.String(environment.Pos + offset).decode("ascii")
        api = _scalar(environment, 1, number_types.Uint32Flags)
        source = _scalar(environment, 2, number_types.Int32Flags)
    modes = _modes(options) if options else []
    settings = ("allow_custom_ops", "enable_select_tf_ops", "force_select_tf_ops")
    return ConversionMetadata(
        tensorflow=version,
        api=api,
        source=_SOURCES.get(source, ""),
        optimizations=[_OPTIMIZATIONS.get(mode, f"mode {mode}") for mode in modes],
        allows=[
            name
            for number, name in enumerate(settings, 1)
            if options and _scalar(options, number, number_types.BoolFlags)
        ],
    )


def read(model: Model) -> ConversionMetadata | None:
    """Returns what a model's converter states; None if it states nothing, or nothing readable."""
    for entry in model.metadata:
        if entry.name == NAME:
            try:
                return _parse(entry.data.tobytes())
            except (IndexError, UnicodeDecodeError, ValueError, struct.error, TypeError):
                return None
    return None
