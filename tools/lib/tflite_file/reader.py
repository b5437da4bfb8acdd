"""Reads any .tflite into dataclasses, safely and without copying its data.

The structure is checked before any offset is followed (tools/lib/tflite_file/structure.py), so a
truncated, damaged or hostile file raises a `cli.UserError`. Unlike the canonical writer, the reader
accepts fields of a newer schema, which it names. What the runtime ignores is left out: data in
buffer 0, a custom code or custom options of a builtin operator, and options that are not the
operator's own.
"""

import re
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import (
    outside,
    own_options,
    references,
    refusals,
    structure,
)
from reproducible_tflite.lib.tflite_file.mapped import Content
from reproducible_tflite.lib.tflite_file.model import (
    Metadata,
    Model,
    Operator,
    Quantization,
    Signature,
    Subgraph,
    Tensor,
)
from reproducible_tflite.lib.tflite_file.references import listed
from reproducible_tflite.lib.tflite_file.schema import (
    builtin_name,
    is_custom,
    operator_name,
    tflite,
)

MINIMUM_RUNTIME = "min_runtime_version"
_EMPTY = np.zeros(0, np.uint8)

# The enumerations of options. Other options are numbers, booleans or lists of these.
_ENUMERATIONS = {
    "fused_activation_function": tflite.ActivationFunctionType,
    "in_data_type": tflite.TensorType,
    "idx_out_type": tflite.TensorType,
    "kernel_type": tflite.LSTMKernelType,
    "out_data_type": tflite.TensorType,
    "out_type": tflite.TensorType,
    "output_type": tflite.TensorType,
    "padding": tflite.Padding,
    "quantized_bias_type": tflite.TensorType,
}
# The enumerations of options whose names have other meanings in other tables.
_TABLE_ENUMERATIONS = {
    ("FullyConnectedOptions", "weights_format"): tflite.FullyConnectedOptionsWeightsFormat,
    ("LSHProjectionOptions", "type"): tflite.LSHProjectionType,
    ("MirrorPadOptions", "mode"): tflite.MirrorPadMode,
}


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


_TYPES = _names(tflite.TensorType)
_FORMATS = _names(tflite.CustomOptionsFormat)


def _bytes(data: Any) -> np.ndarray:
    return _EMPTY if data is None else np.asarray(data, np.uint8)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "backslashreplace")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _plain(value: Any) -> Any:
    """Returns an unpacked value without the schema's classes; vectors of numbers stay arrays."""
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)
    if hasattr(value, "Pack"):
        return _fields(value)
    return value


def _fields(table: Any) -> dict[str, Any]:
    """Returns the fields of an unpacked table by name."""
    return {_snake(name): _plain(value) for name, value in sorted(vars(table).items())}


def _table_name(table: Any) -> str:
    return type(table).__name__[:-1]


def _union(value: Any) -> dict[str, Any] | None:
    return None if value is None else {"kind": _table_name(value), **_fields(value)}


class _Reader:
    """Reads a file. Its parts behind the flatbuffer are brought into the model."""

    def __init__(self, content: Content, source: str) -> None:
        self.structure = structure.verify(content, source)
        try:
            self.model = tflite.ModelT.InitFromPackedBuf(content)
        except (IndexError, OverflowError, TypeError, ValueError, struct.error) as error:
            raise cli.UserError(
                f"{source}: not a sound .tflite: {cli.first_line(error)}; get it again."
            ) from error
        own_options.drop_ignored(self.model)
        references.check(self.model, source)
        self.end = max(self.structure.end, outside.bring_in(self.model, content, source))

    def buffers(self) -> tuple[np.ndarray, ...]:
        return tuple(_bytes(buffer.data) for buffer in self.model.buffers or [])

    def operator(self, index: int, op: Any) -> Operator:
        code = self.model.operatorCodes[op.opcodeIndex]
        tables = [part for part in (op.builtinOptions, op.builtinOptions2) if part is not None]
        return Operator(
            index=index,
            name=operator_name(code),
            builtin=builtin_name(code),
            version=code.version,
            inputs=tuple(listed(op.inputs)),
            outputs=tuple(listed(op.outputs)),
            intermediates=tuple(listed(op.intermediates)),
            options_type=", ".join(map(_table_name, tables)),
            options=self.options(tables),
            custom_options=_bytes(op.customOptions if is_custom(code) else None),
            custom_options_format=_FORMATS.get(
                op.customOptionsFormat, f"FORMAT_{op.customOptionsFormat}"
            ),
            mutated_inputs=tuple(np.flatnonzero(listed(op.mutatingVariableInputs)).tolist()),
            debug_metadata_index=op.debugMetadataIndex,
        )

    def options(self, tables: list[Any]) -> dict[str, Any]:
        """Returns the fields of the tables of options, of which sound files have at most one."""
        options: dict[str, Any] = {}
        for table in tables:
            kind = _table_name(table)
            for name, value in _fields(table).items():
                enumeration = _TABLE_ENUMERATIONS.get((kind, name)) or _ENUMERATIONS.get(name)
                if enumeration is not None and isinstance(value, int):
                    value = _names(enumeration).get(value, value)
                options[f"{kind}.{name}" if name in options else name] = value
        return options


def _quantization(table: Any) -> Quantization | None:
    if table is None:
        return None

    def array(values: Any, dtype: type) -> np.ndarray:
        return np.asarray([] if values is None else values, dtype)

    return Quantization(
        scale=array(table.scale, np.float32),
        zero_point=array(table.zeroPoint, np.int64),
        axis=table.quantizedDimension,
        minimum=array(table.min, np.float32),
        maximum=array(table.max, np.float32),
        details=_union(table.details),
    )


def _sparsity(table: Any) -> Mapping[str, Any] | None:
    if table is None:
        return None
    dimensions = tuple(
        {
            "format": dimension.format,
            "dense_size": dimension.denseSize,
            "array_segments": _union(dimension.arraySegments),
            "array_indices": _union(dimension.arrayIndices),
        }
        for dimension in table.dimMetadata or []
    )
    return {
        "traversal_order": tuple(listed(table.traversalOrder)),
        "block_map": tuple(listed(table.blockMap)),
        "dimensions": dimensions,
    }


def _external(model: Any, number: int) -> Mapping[str, Any] | None:
    """Returns where an ExternalBuffer, whose number 0 means none, says that data are."""
    if not number:
        return None
    places = [part for part in model.externalBuffers or [] if part.id == number]
    if not places:
        return {"id": number}
    place, groups = _fields(places[0]), model.externalBufferGroups or []
    if place["group"] < len(groups):
        place["group"] = _text(groups[place["group"]].name)
    del place["id"]
    return place


def _tensor(
    index: int, table: Any, role: str, buffers: tuple[np.ndarray, ...], model: Any
) -> Tensor:
    shape = tuple(listed(table.shape))
    return Tensor(
        index=index,
        name=_text(table.name),
        dtype=_TYPES.get(table.type, f"TYPE_{table.type}"),
        shape=shape,
        shape_signature=tuple(listed(table.shapeSignature)) or shape,
        has_rank=table.hasRank,
        role=role,
        buffer=table.buffer,
        data=buffers[table.buffer],
        is_variable=table.isVariable,
        quantization=_quantization(table.quantization),
        sparsity=_sparsity(table.sparsity),
        variants=tuple(_fields(variant) for variant in table.variantTensors or []),
        external=_external(model, table.externalBuffer),
    )


def _roles(graph: Any, operators: tuple[Operator, ...], buffers: tuple[np.ndarray, ...]) -> list:
    tensors = graph.tensors or []
    roles = ["unused"] * len(tensors)
    for operator in operators:
        for index in (*operator.inputs, *operator.outputs, *operator.intermediates):
            if index >= 0:
                roles[index] = "inner"
    for index, tensor in enumerate(tensors):
        if buffers[tensor.buffer].size:
            roles[index] = "constant"
        if tensor.isVariable:
            roles[index] = "variable"
    # A tensor may be both an input and an output; "input" takes precedence.
    for role, indices in (("output", graph.outputs), ("input", graph.inputs)):
        for index in listed(indices):
            roles[index] = role
    return roles


def _subgraph(index: int, graph: Any, reader: _Reader, buffers: tuple[np.ndarray, ...]) -> Subgraph:
    operators = tuple(reader.operator(i, op) for i, op in enumerate(graph.operators or []))
    roles = _roles(graph, operators, buffers)
    return Subgraph(
        index=index,
        name=_text(graph.name),
        tensors=tuple(
            _tensor(i, tensor, roles[i], buffers, reader.model)
            for i, tensor in enumerate(graph.tensors or [])
        ),
        operators=operators,
        inputs=tuple(listed(graph.inputs)),
        outputs=tuple(listed(graph.outputs)),
        debug_metadata_index=graph.debugMetadataIndex,
    )


def _signature(table: Any) -> Signature:
    def entries(maps: Any) -> dict[str, int]:
        return {_text(entry.name): entry.tensorIndex for entry in maps or []}

    return Signature(
        key=_text(table.signatureKey),
        subgraph=table.subgraphIndex,
        inputs=entries(table.inputs),
        outputs=entries(table.outputs),
    )


def read(content: Content, source: str) -> Model:
    """Reads a .tflite.

    Args:
      content: the whole file, untrusted; the model's arrays are views of it.
      source: its name, for messages.

    Raises:
      cli.UserError: the file is not a .tflite, is truncated or damaged, or claims more data than
        it can hold.
    """
    reader = _Reader(content, source)
    model = reader.model
    buffers = reader.buffers()
    subgraphs = tuple(
        _subgraph(index, graph, reader, buffers)
        for index, graph in enumerate(model.subgraphs or [])
    )
    metadata = tuple(
        Metadata(_text(entry.name), buffers[entry.buffer]) for entry in model.metadata or []
    )
    minimum = [entry.data for entry in metadata if entry.name == MINIMUM_RUNTIME]
    return Model(
        source=source,
        size=len(content),
        version=model.version,
        description=_text(model.description),
        subgraphs=subgraphs,
        signatures=tuple(_signature(table) for table in model.signatureDefs or []),
        metadata=metadata,
        metadata_buffers=tuple(listed(model.metadataBuffer)),
        buffers=buffers,
        minimum_runtime=_text(minimum[0].tobytes()).partition("\0")[0] if minimum else None,
        trailing=np.frombuffer(content, np.uint8)[reader.end :],
        newer=reader.structure.newer,
        refusals=refusals.of(model, reader.structure.flaw),
    )
