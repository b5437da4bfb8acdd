"""The canonical bytes of a FlexBuffer with maps.

A FlexBuffer's writer may lay out a map's keys in any order. TensorFlow's converter uses the order
of a hash map, which differs from run to run. Unlike `flatbuffers.flexbuffers`, this reader is
strict: an operator's custom options need not be a FlexBuffer, and bytes that only look like one
must not change. The format: https://flatbuffers.dev/flexbuffers/.
"""

import array
import dataclasses
import struct
from typing import Any

from flatbuffers import flexbuffers
from flatbuffers.flexbuffers import Type

_INTEGER = {1: "<b", 2: "<h", 4: "<i", 8: "<q"}
_UNSIGNED = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_FLOATING = {4: "<f", 8: "<d"}
_NUMBER_FORMATS = {Type.INT: _INTEGER, Type.UINT: _UNSIGNED, Type.FLOAT: _FLOATING}
_INDIRECT = {
    Type.INDIRECT_INT: Type.INT,
    Type.INDIRECT_UINT: Type.UINT,
    Type.INDIRECT_FLOAT: Type.FLOAT,
}
_MAX_DEPTH = 64
# Reading and writing take at most (values x bytes) steps; options beyond this are not rewritten.
_MAX_WORK = 1 << 30
# A text with several references is written once for each. Rewritten options stay below this
# multiple of their size.
_MAX_EXPANSION = 8


class _NotAFlexBuffer(ValueError):
    """The bytes are not a FlexBuffer, or cannot be rewritten without a change of meaning."""


@dataclasses.dataclass(frozen=True)
class _Value:
    """A decoded value.

    Attributes:
      kind: its FlexBuffers type.
      payload: bool, int, float as 8 bytes (so that equality means equal bits), bytes, or a tuple of
        `_Value`; for a map, (key, value) pairs; for a vector of numbers, its packed bytes.
      width: bytes per element of a vector of numbers, which its readers may rely on; else 0.
    """

    kind: Type
    payload: Any
    width: int = 0


class _Reader:
    """Decodes a FlexBuffer and records which of its bytes are used."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.covered = bytearray(len(data))
        self.values = 0
        self.budget = _MAX_EXPANSION * len(data)
        self.keys: dict[int, bytes] = {}

    def take(self, position: int, length: int) -> bytes:
        self.budget -= length
        if position < 0 or length < 0 or position + length > len(self.data) or self.budget < 0:
            raise _NotAFlexBuffer
        self.covered[position : position + length] = b"\1" * length
        return self.data[position : position + length]

    def number(self, formats: dict[int, str], position: int, width: int) -> Any:
        if width not in formats:
            raise _NotAFlexBuffer
        return struct.unpack(formats[width], self.take(position, width))[0]

    def target(self, position: int, width: int) -> int:
        """Returns the target of the offset at `position`; 0 is valid before an empty vector."""
        return position - self.number(_UNSIGNED, position, width)

    def root(self) -> _Value:
        if len(self.data) < 3:
            raise _NotAFlexBuffer
        packed_type, width = self.take(len(self.data) - 2, 2)
        return self.value(len(self.data) - 2 - width, width, packed_type, 0)

    def count(self, values: int) -> None:
        """Limits the number of decoded values: each takes a byte, unless referred to twice."""
        self.values += values
        if self.values > len(self.data) or self.values * len(self.data) > _MAX_WORK:
            raise _NotAFlexBuffer

    def value(self, position: int, parent_width: int, packed_type: int, depth: int) -> _Value:
        self.count(1)
        if depth > _MAX_DEPTH:
            raise _NotAFlexBuffer
        try:
            width, kind = Type.Unpack(packed_type)
        except ValueError as error:
            raise _NotAFlexBuffer from error
        if Type.IsInline(kind):
            return self.inline(kind, position, parent_width)
        start = self.target(position, parent_width)
        if kind in _INDIRECT:
            return _Value(kind, self.inline(_INDIRECT[kind], start, width).payload)
        if kind == Type.KEY:
            return _Value(kind, self.key(start))
        if kind in (Type.STRING, Type.BLOB):
            return _Value(kind, self.sized_bytes(start, width, kind))
        if kind == Type.MAP:
            return self.map(start, width, depth)
        if kind == Type.VECTOR:
            return _Value(kind, self.elements(start, width, depth))
        return self.typed_vector(kind, start, width)

    def inline(self, kind: Type, position: int, width: int) -> _Value:
        if kind in (Type.NULL, Type.BOOL):
            payload = self.number(_UNSIGNED, position, width)
            if payload > (kind == Type.BOOL):
                raise _NotAFlexBuffer
            return _Value(kind, bool(payload))
        payload = self.number(_NUMBER_FORMATS[kind], position, width)
        return _Value(kind, struct.pack("<d", payload) if kind == Type.FLOAT else payload)

    def length(self, start: int, width: int) -> int:
        return self.number(_UNSIGNED, start - width, width)

    def key(self, start: int) -> bytes:
        # The writer shares equal keys, so further references to a key are free.
        if start not in self.keys:
            end = self.data.find(b"\0", start) if start >= 0 else -1
            if end < 0:
                raise _NotAFlexBuffer
            self.keys[start] = self.take(start, end + 1 - start)[:-1]
        return self.keys[start]

    def sized_bytes(self, start: int, width: int, kind: Type) -> bytes:
        length = self.length(start, width)
        content = self.take(start, length)
        if kind == Type.STRING:
            if self.take(start + length, 1) != b"\0":
                raise _NotAFlexBuffer
            try:
                content.decode("utf-8")
            except UnicodeDecodeError as error:
                # Legal in a FlexBuffer, but the writer takes only UTF-8.
                raise _NotAFlexBuffer from error
        return content

    def elements(self, start: int, width: int, depth: int) -> tuple[_Value, ...]:
        length = self.length(start, width)
        types = self.take(start + length * width, length)
        return tuple(
            self.value(start + i * width, width, packed_type, depth + 1)
            for i, packed_type in enumerate(types)
        )

    def map(self, start: int, width: int, depth: int) -> _Value:
        keys_width = self.number(_UNSIGNED, start - 2 * width, width)
        keys_start = self.target(start - 3 * width, width)
        values = self.elements(start, width, depth)
        if self.length(keys_start, keys_width) != len(values):
            raise _NotAFlexBuffer
        keys = [
            self.key(self.target(keys_start + i * keys_width, keys_width))
            for i in range(len(values))
        ]
        # Readers look up keys by bisection, so an unsorted map has no defined meaning.
        if any(left >= right for left, right in zip(keys, keys[1:], strict=False)):
            raise _NotAFlexBuffer
        return _Value(Type.MAP, tuple(zip(keys, values, strict=True)))

    def typed_vector(self, kind: Type, start: int, width: int) -> _Value:
        if Type.IsFixedTypedVector(kind):
            element, length = Type.ToFixedTypedVectorElementType(kind)
        else:
            element, length = Type.ToTypedVectorElementType(kind), self.length(start, width)
        if element in _NUMBER_FORMATS:
            if width not in _NUMBER_FORMATS[element]:
                raise _NotAFlexBuffer
            return _Value(kind, self.take(start, length * width), width)
        self.count(length)
        places = range(start, start + length * width, width)
        if element == Type.KEY:
            return _Value(kind, tuple(self.key(self.target(at, width)) for at in places))
        if element == Type.BOOL:
            return _Value(kind, tuple(self.inline(element, at, width).payload for at in places))
        raise _NotAFlexBuffer


def _decode(data: bytes) -> _Value:
    reader = _Reader(data)
    value = reader.root()
    if any(byte for byte, covered in zip(data, reader.covered, strict=True) if not covered):
        raise _NotAFlexBuffer
    return value


def _has_map(value: _Value) -> bool:
    if value.kind == Type.VECTOR:
        return any(_has_map(element) for element in value.payload)
    return value.kind == Type.MAP


_ARRAY_CODES = {Type.INT: "bhiq", Type.UINT: "BHIQ", Type.FLOAT: "  fd"}


def _write_numbers(builder: flexbuffers.Builder, value: _Value) -> None:
    if Type.IsFixedTypedVector(value.kind):
        element, length = Type.ToFixedTypedVectorElementType(value.kind)
        form = f"<{length}{_NUMBER_FORMATS[element][value.width][1:]}"
        numbers = struct.unpack(form, value.payload)
        builder.FixedTypedVectorFromElements(numbers, element, value.width)
        return
    element = Type.ToTypedVectorElementType(value.kind)
    form = _NUMBER_FORMATS[element][value.width][1:]
    numbers = struct.unpack(f"<{len(value.payload) // value.width}{form}", value.payload)
    code = _ARRAY_CODES[element][value.width.bit_length() - 1]
    builder.TypedVectorFromElements(array.array(code, numbers))


def _float_width(payload: bytes) -> int:
    """Returns 4 if a float32 holds the float64 in `payload` exactly, else 8."""
    value = struct.unpack("<d", payload)[0]
    try:
        narrow = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return 8
    return 4 if struct.pack("<d", narrow) == payload else 8


def _write(builder: flexbuffers.Builder, value: _Value) -> None:
    kind, payload = value.kind, value.payload
    if kind == Type.NULL:
        builder.Null()
    elif kind in (Type.FLOAT, Type.INDIRECT_FLOAT):
        builder.Adder(kind)(struct.unpack("<d", payload)[0], _float_width(payload))
    elif kind == Type.STRING:
        builder.String(payload.decode("utf-8"))
    elif kind == Type.MAP:
        with builder.Map():
            for key, item in payload:
                builder.Key(key)
                _write(builder, item)
    elif kind == Type.VECTOR:
        with builder.Vector():
            for item in payload:
                _write(builder, item)
    elif value.width:
        _write_numbers(builder, value)
    elif Type.IsTypedVector(kind):
        add = builder.Adder(Type.ToTypedVectorElementType(kind))
        with builder.TypedVector():
            for item in payload:
                add(item)
    else:
        builder.Adder(kind)(payload)


def _plain(value: _Value) -> Any:
    kind, payload = value.kind, value.payload
    if kind == Type.NULL:
        return None
    if kind in (Type.FLOAT, Type.INDIRECT_FLOAT):
        return struct.unpack("<d", payload)[0]
    if kind in (Type.STRING, Type.KEY):
        return payload.decode("utf-8", "backslashreplace")
    if kind == Type.MAP:
        return {key.decode("utf-8", "backslashreplace"): _plain(item) for key, item in payload}
    if kind == Type.VECTOR:
        return [_plain(item) for item in payload]
    if value.width:
        element = (
            Type.ToFixedTypedVectorElementType(kind)[0]
            if Type.IsFixedTypedVector(kind)
            else Type.ToTypedVectorElementType(kind)
        )
        form = _NUMBER_FORMATS[element][value.width][1:]
        return list(struct.unpack(f"<{len(payload) // value.width}{form}", payload))
    if isinstance(payload, tuple):
        return [
            item.decode("utf-8", "backslashreplace") if isinstance(item, bytes) else item
            for item in payload
        ]
    return payload


def loads(data: bytes) -> Any:
    """Decodes a FlexBuffer into Python's own values; maps become dicts in the order of their keys.

    Args:
      data: the options of a custom operator, untrusted.

    Raises:
      ValueError: the data are not a FlexBuffer, or have bytes without a meaning.
    """
    return _plain(_decode(data))


def typed_text(data: bytes) -> str:
    """Returns a text that two FlexBuffers share if and only if they have the same meaning.

    It names every value with its type and, for vectors of numbers, their width. `loads` does not
    tell a vector of any values from one of numbers, or text from bytes that it shows as that text.

    Args:
      data: the options of a custom operator, untrusted.

    Raises:
      ValueError: see `loads`.
    """
    return repr(_decode(data))


def canonical_bytes(data: bytes) -> bytes:
    """Returns the canonical form of custom options.

    Every value keeps its type, and vectors of numbers their element width; keys are sorted. Bytes
    that are not a FlexBuffer with a map, or that cannot be written back without a change (text that
    is not UTF-8, a deprecated type), are returned unchanged.

    Args:
      data: the options of a custom operator, untrusted.
    """
    try:
        value = _decode(data)
        if not _has_map(value):
            return data
        builder = flexbuffers.Builder()
        _write(builder, value)
        written = bytes(builder.Finish())
        return written if _decode(written) == value else data
    except _NotAFlexBuffer:
        return data
