"""Checks the bytes of a .tflite before anything else reads them.

The schema's generated classes follow every offset without checks and skip unknown fields. This
check walks the file first. Afterwards, (1) no offset leads out of the file, (2) unpacking takes no
more memory than a small multiple of the file's size, and (3) whatever the schema does not know is
named, so nothing is lost unnoticed.

The generated classes leave out the fields that the schema calls deprecated. A field's number is
therefore deprecated if it is missing between known ones, and newer if it is above all of them.

The wire format is described at https://flatbuffers.dev/internals/.
"""

import dataclasses
import functools
import re
import struct
from collections.abc import Mapping
from typing import Any

from flatbuffers import number_types

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.cli.content import ENOUGH, INSTEAD_OF_A_FILE, what_it_is
from reproducible_tflite.lib.tflite_file.mapped import Content
from reproducible_tflite.lib.tflite_file.schema import FILE_IDENTIFIER, tflite

# The fields that refer to tables. All other fields are numbers or text, as the schema's constructor
# functions show. A field missing here would be read as text, which the tests detect.
CHILD_TABLES: Mapping[tuple[str, str], str] = {
    ("Model", "OperatorCodes"): "OperatorCode",
    ("Model", "Subgraphs"): "SubGraph",
    ("Model", "Buffers"): "Buffer",
    ("Model", "Metadata"): "Metadata",
    ("Model", "SignatureDefs"): "SignatureDef",
    ("Model", "ExternalBufferGroups"): "ExternalBufferGroup",
    ("Model", "ExternalBuffers"): "ExternalBuffer",
    ("SubGraph", "Tensors"): "Tensor",
    ("SubGraph", "Operators"): "Operator",
    ("Tensor", "Quantization"): "QuantizationParameters",
    ("Tensor", "Sparsity"): "SparsityParameters",
    ("Tensor", "VariantTensors"): "VariantSubType",
    ("VariantSubType", "Quantization"): "QuantizationParameters",
    ("SparsityParameters", "DimMetadata"): "DimensionMetadata",
    ("SignatureDef", "Inputs"): "TensorMap",
    ("SignatureDef", "Outputs"): "TensorMap",
}
# The fields that are unions, with the enumerations whose names are the possible tables.
CHILD_UNIONS: Mapping[tuple[str, str], str] = {
    ("Operator", "BuiltinOptions"): "BuiltinOptions",
    ("Operator", "BuiltinOptions2"): "BuiltinOptions2",
    ("QuantizationParameters", "Details"): "QuantizationDetails",
    ("DimensionMetadata", "ArraySegments"): "SparseIndexVector",
    ("DimensionMetadata", "ArrayIndices"): "SparseIndexVector",
}

# Parts of a file may be referred to more than once. These limit the bytes reached in total, as a
# multiple of the file's size (near 1 in real files), and the number of tables (the default limit of
# TensorFlow Lite's verifier).
_MAX_EXPANSION = 4
_MAX_TABLES = 1_000_000

# How many parts of a newer schema a message names.
_SHOWN = 3

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a table.

    Attributes:
      name: in the spelling of the schema's accessor, such as "OpcodeIndex".
      size: its bytes inside the table.
      is_offset: whether those bytes are an offset to text, a vector or a table.
      element_size: bytes per element of a vector, else None.
    """

    name: str
    size: int
    is_offset: bool
    element_size: int | None


@dataclasses.dataclass(frozen=True)
class Structure:
    """What a walk over a file found.

    Attributes:
      end: the end of the flatbuffer, in bytes from the start. Bytes after it are not checked.
      newer: the parts that only a newer schema knows, such as "FullyConnectedOptions field 5".
      skipped: whether the file has parts that were not followed, so `end` may not cover them.
      flaw: the first thing that the runtime's verifier refuses although it can be read; or None.
    """

    end: int
    newer: tuple[str, ...]
    skipped: bool
    flaw: str | None


class _Recorder:
    """Stands in for a flatbuffers.Builder and records the calls of a constructor function."""

    def __init__(self) -> None:
        self.slot = -1
        self.kind = ""
        self.element_size: int | None = None

    def StartVector(self, element_size: int, *_: int) -> None:
        self.element_size = element_size

    def __getattr__(self, method: str) -> Any:
        match = re.fullmatch(r"Prepend(\w+)Slot", method)
        if match is None:
            raise AttributeError(method)

        def prepend(slot: int, *_: Any) -> None:
            self.slot, self.kind = slot, match.group(1)

        return prepend


@functools.cache
def layout(table: str) -> Mapping[int, Field]:
    """Returns the fields of a schema table by slot, derived from its generated constructors."""
    fields = {}
    for function in dir(tflite):
        name = function.removeprefix(f"{table}Add")
        if name == function or not hasattr(getattr(tflite, table), name):
            continue
        recorder = _Recorder()
        getattr(tflite, function)(recorder, 0)
        start_vector = getattr(tflite, f"{table}Start{name}Vector", None)
        if start_vector is not None:
            start_vector(recorder, 0)
        is_offset = recorder.kind == "UOffsetTRelative"
        flags = "UOffsetTFlags" if is_offset else f"{recorder.kind}Flags"
        size = getattr(number_types, flags).bytewidth
        fields[recorder.slot] = Field(name, size, is_offset, recorder.element_size)
    return fields


@functools.cache
def _union_members(enumeration: str) -> Mapping[int, str]:
    members = vars(getattr(tflite, enumeration)).items()
    return {code: name for name, code in members if not name.startswith("_") and code != 0}


class _Walk:
    """A walk over a file. Positions are byte offsets from its start."""

    def __init__(self, content: Content, source: str) -> None:
        self.content = content
        self.source = source
        self.end = 0
        self.budget = _MAX_EXPANSION * len(content)
        self.tables = 0
        self.vtables: dict[tuple[int, str], list[tuple[Field, int]]] = {}
        self.newer: set[str] = set()
        self.skipped = False
        self.flaw: str | None = None

    def damaged(self, position: int, reason: str) -> cli.UserError:
        return cli.UserError(
            f"{self.source}: not a sound .tflite: {reason} at byte {position} of "
            f"{len(self.content)}; the file is truncated or damaged, get it again."
        )

    def aligned(self, position: int, size: int, what: str) -> None:
        """Notes a part that does not lie at a multiple of its size."""
        if position % size and self.flaw is None:
            self.flaw = f"{what} at byte {position} is not aligned to {size} bytes"

    def take(self, position: int, length: int, what: str) -> None:
        """Accounts for a part of the file, which must lie inside it."""
        if position < 0 or length < 0 or position + length > len(self.content):
            raise self.damaged(position, f"{what} of {length} bytes leads out of the file")
        self.end = max(self.end, position + length)
        self.budget -= length
        if self.budget < 0:
            raise self.damaged(position, "the same data is referred to again and again")

    def count_tables(self, count: int, position: int, what: str) -> None:
        self.tables += count
        if self.tables > _MAX_TABLES:
            raise self.damaged(position, f"{what} makes it more than {_MAX_TABLES:,} tables")

    def number(self, form: struct.Struct, position: int, what: str) -> int:
        if position < 0 or position + form.size > len(self.content):
            raise self.damaged(position, f"{what} is missing")
        return form.unpack_from(self.content, position)[0]

    def target(self, position: int, what: str) -> int:
        return position + self.number(_U32, position, f"the offset of {what}")

    def fields(self, position: int, table: str) -> list[tuple[Field, int]]:
        """Returns the fields that are set in the table at `position`, with their positions."""
        self.take(position, _I32.size, f"a {table}")
        self.aligned(position, _I32.size, f"a {table}")
        vtable = position - self.number(_I32, position, f"a {table}")
        present = self.vtables.get((vtable, table))
        if present is None:
            present = self.vtable(vtable, table)
            self.vtables[vtable, table] = present
        self.take(position, self.number(_U16, vtable + 2, f"a {table}'s size"), f"a {table}")
        return [(field, position + offset) for field, offset in present]

    def vtable(self, vtable: int, table: str) -> list[tuple[Field, int]]:
        length = self.number(_U16, vtable, f"the field list of a {table}")
        size = self.number(_U16, vtable + 2, f"the field list of a {table}")
        if length < 4 or length % 2 or size < 4:
            raise self.damaged(vtable, f"the field list of a {table} is wrong")
        self.take(vtable, length, f"the field list of a {table}")
        self.aligned(vtable, _U16.size, f"the field list of a {table}")
        known = layout(table)
        present = []
        offsets = _U16.iter_unpack(self.content[vtable + 4 : vtable + length])
        for slot, (offset,) in enumerate(offsets):
            if offset == 0:
                continue
            if slot not in known:
                self.skipped = True
                if slot > max(known, default=-1):
                    self.newer.add(f"{table} field {slot}")
                continue
            if offset < 4 or offset + known[slot].size > size:
                raise self.damaged(vtable, f"the field list of a {table} is wrong")
            present.append((known[slot], offset))
        return present

    def table(self, position: int, table: str) -> list[tuple[int, str]]:
        """Checks one table; returns the positions and names of the tables that it refers to."""
        children = []
        fields = self.fields(position, table)
        places = {field.name: at for field, at in fields}
        for field, at in fields:
            what = f"{table}.{field.name}"
            self.aligned(at, field.size, what)
            if not field.is_offset:
                continue
            start = self.target(at, what)
            child = CHILD_TABLES.get((table, field.name))
            enumeration = CHILD_UNIONS.get((table, field.name))
            if enumeration is not None:
                type_at = places.get(f"{field.name}Type")
                code = 0 if type_at is None else self.content[type_at]
                member = _union_members(enumeration).get(code)
                if member is not None:
                    children.append((start, member))
                    continue
                # The runtime reads a union by its type; without one it ignores the table.
                self.skipped = True
                if code:
                    self.newer.add(f"{what} of kind {code}")
            elif child is not None and field.element_size is None:
                children.append((start, child))
            else:
                children.extend(self.vector(start, field, child, what))
        return children

    def vector(
        self, start: int, field: Field, child: str | None, what: str
    ) -> list[tuple[int, str]]:
        """Checks a vector or text; returns the tables that it refers to, as `table` does."""
        length = self.number(_U32, start, f"the length of {what}")
        self.aligned(start, _U32.size, what)
        is_text = field.element_size is None
        size = 4 + length * (field.element_size or 1)
        # A NUL follows text; its length does not include it.
        self.take(start, size + is_text, what)
        if is_text and self.content[start + size] and self.flaw is None:
            self.flaw = f"{what} at byte {start} does not end with a NUL"
        if child is None:
            return []
        elements = range(start + 4, start + size, 4)
        self.count_tables(length, start, what)
        return [(self.target(element, what), child) for element in elements]


def _no_tflite(start: bytes, source: str) -> cli.UserError:
    """Returns what to say of a file that starts like this."""
    found = what_it_is(start)
    if found is None and re.fullmatch(rb"TFL[0-9]", start[4:8]):
        found = f"of the schema {start[4:8].decode()}, which is not {FILE_IDENTIFIER.decode()}"
    if found is None:
        found = f"a file without {FILE_IDENTIFIER.decode()} in its bytes 4 to 7"
    advice = INSTEAD_OF_A_FILE.get(found, "give a file that TensorFlow's converter wrote")
    return cli.UserError(f"{source}: not a .tflite but {found}; {advice}.")


def verify(content: Content, source: str) -> Structure:
    """Checks that a .tflite's flatbuffer is well formed.

    Args:
      content: the whole file.
      source: its name, for messages.

    Raises:
      cli.UserError: the file is not a .tflite, has an offset that leads out of it, or refers to
        more data than it can hold.
    """
    if len(content) < 8 or content[4:8] != FILE_IDENTIFIER:
        raise _no_tflite(content[:ENOUGH], source)
    walk = _Walk(content, source)
    pending = [(walk.target(0, "the model"), "Model")]
    while pending:
        pending.extend(walk.table(*pending.pop()))
    return Structure(walk.end, tuple(sorted(walk.newer)), walk.skipped, walk.flaw)


def check(content: Content, source: str) -> Structure:
    """Checks that a .tflite is well formed and that the canonical form loses nothing.

    Args:
      content: the whole file.
      source: its name, for messages.

    Raises:
      cli.UserError: see `verify`; or the file has parts of a newer schema.
    """
    structure = verify(content, source)
    if structure.newer:
        more = f" and {len(structure.newer) - _SHOWN} more" * (len(structure.newer) > _SHOWN)
        raise cli.UserError(
            f"{source}: has {', '.join(structure.newer[:_SHOWN])}{more}, which this tool's schema "
            "does not know and would lose; use the file as it is."
        )
    return structure
