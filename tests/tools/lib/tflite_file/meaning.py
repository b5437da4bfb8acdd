"""The meaning of a model in a comparable form, independent of the file's layout.

But for reading FlexBuffers, and for which options are an operator's own, it is written without the
canonical writer's code, so that the two can be held against each other: operators are run in the
file's order, on names of values instead of values.
"""

import copy
import hashlib
from collections import Counter
from typing import Any

import numpy as np

from reproducible_tflite.lib.tflite_file import flexbuffer, own_options
from reproducible_tflite.lib.tflite_file.schema import tflite

_FLEXBUFFERS = tflite.CustomOptionsFormat.FLEXBUFFERS

# Positions in the file: a reader resolves them, and no meaning depends on them.
_POSITIONS = {"buffer", "opcodeIndex", "inputs", "outputs", "intermediates", "tensorIndex"}
_POSITIONS |= {"scales", "zeroPoints"}


def _is_half_a_union(table: Any, field: str) -> bool:
    """Returns whether a field is the type of a union that is not there, which nobody reads."""
    union = field.removesuffix("Type")
    return union != field and getattr(table, union, "another field") is None


def content(value: Any) -> Any:
    """Returns a table of the object API, or part of it, as plain values; floats by their bits."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, list):
        return tuple(map(content, value))
    if isinstance(value, float):
        return np.float32(value).tobytes()
    if hasattr(value, "Pack"):
        fields = vars(value).items()
        return tuple(
            (name, content(field))
            for name, field in fields
            if name not in _POSITIONS and not _is_half_a_union(value, name)
        )
    return value


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode("utf-8")).hexdigest()


def _code(model: tflite.ModelT, op: tflite.OperatorT) -> tuple[Any, ...]:
    code = model.operatorCodes[op.opcodeIndex]
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    custom = code.customCode if builtin == tflite.BuiltinOperator.CUSTOM else None
    return (builtin, custom, code.version)


def _data(model: tflite.ModelT, index: int) -> bytes | None:
    data = model.buffers[index].data
    return None if data is None else bytes(data)


def _values(model: tflite.ModelT, tensor: tflite.TensorT) -> bytes | None:
    # For the runtime, buffer 0 means that a tensor has no data.
    return _data(model, tensor.buffer) if tensor.buffer else None


def _scales(tensor: tflite.TensorT) -> list[int]:
    """Returns the tensors that hold a tensor's scales and zero points, if they are in tensors."""
    details = getattr(tensor.quantization, "details", None)
    return [details.scales, details.zeroPoints] if hasattr(details, "scales") else []


def _some(indices: Any) -> list[int]:
    return [] if indices is None else [int(index) for index in indices]


def _decoded(options: Any) -> Any:
    """Returns a FlexBuffer's values with maps sorted by key; other bytes unchanged."""
    try:
        return repr(flexbuffer.loads(bytes(options)))
    except ValueError:
        return options


def _options(op: tflite.OperatorT, is_custom: bool) -> Any:
    """Returns an operator's own fields."""
    op = copy.copy(op)
    if not is_custom:
        # The runtime does not read these.
        op.customOptions, op.customOptionsFormat = None, _FLEXBUFFERS
    if op.customOptions is not None and op.customOptionsFormat == _FLEXBUFFERS:
        op.customOptions = _decoded(op.customOptions)
    composite = copy.copy(op.builtinOptions2)
    if getattr(composite, "compositeAttributes", None) is not None:
        composite.compositeAttributes = _decoded(composite.compositeAttributes)
        op.builtinOptions2 = composite
    return content(op)


def _subgraph(model: tflite.ModelT, position: int) -> Any:
    graph = model.subgraphs[position]
    alone = [(content(t), _values(model, t)) for t in graph.tensors or []]
    tensors = [
        _digest((own, [alone[i] if i >= 0 else "" for i in _scales(tensor)]))
        for own, tensor in zip(alone, graph.tensors or [], strict=True)
    ]
    values = dict(enumerate(tensors))
    values[-1] = "omitted"
    for place, index in enumerate(_some(graph.inputs)):
        values[index] = _digest(("input", place, values[index]))
    results = Counter()
    for op in graph.operators or []:
        code = _code(model, op)
        is_custom = code[0] == tflite.BuiltinOperator.CUSTOM
        computation = (code, _options(op, is_custom), *([values[i] for i in _some(op.inputs)],))
        computation += ([tensors[i] if i >= 0 else "" for i in _some(op.intermediates)],)
        computation += (op.inputs is None, op.outputs is None, op.intermediates is None)
        computation += ([tensors[i] if i >= 0 else "" for i in _some(op.outputs)],)
        results[_digest(computation)] += 1
        for place, index in enumerate(_some(op.outputs)):
            if index >= 0:
                values[index] = _digest((computation, place))
    return {
        "name": graph.name,
        "debug": graph.debugMetadataIndex,
        "missing": [getattr(graph, f) is None for f in ("tensors", "inputs", "outputs")],
        "tensors": Counter(tensors),
        "operators": results,
        "inputs": [values[index] for index in _some(graph.inputs)],
        "outputs": [values[index] for index in _some(graph.outputs)],
        "signatures": [
            (
                signature.signatureKey,
                [
                    Counter((e.name, values[e.tensorIndex]) for e in entries or [])
                    for entries in (signature.inputs, signature.outputs)
                ],
            )
            for signature in model.signatureDefs or []
            if signature.subgraphIndex == position
        ],
        # Variables, and which tensors share memory.
        "state": Counter(tensors[i] for i, t in enumerate(graph.tensors or []) if t.isVariable),
    }


def _bring_in(model: tflite.ModelT, file: bytes) -> None:
    """Takes data from other places of the file, as a runtime does."""

    def data(own: Any, offset: int, size: int) -> Any:
        is_there = own is not None or offset <= 1 or size <= 1
        return own if is_there else np.frombuffer(file, np.uint8, size, offset)

    # Buffer 0 stands for no data to tensors, but not to metadata.
    numbers = [entry.buffer for entry in model.metadata or []] + _some(model.metadataBuffer)
    for buffer in (model.buffers or [])[0 if 0 in numbers else 1 :]:
        buffer.data = data(buffer.data, buffer.offset, buffer.size)
    # Only custom operators have custom options.
    for op in (op for graph in model.subgraphs for op in graph.operators or []):
        if _code(model, op)[0] == tflite.BuiltinOperator.CUSTOM:
            place = op.largeCustomOptionsOffset, op.largeCustomOptionsSize
            op.customOptions = data(op.customOptions, *place)
        op.largeCustomOptionsOffset = op.largeCustomOptionsSize = 0


def meaning(model: tflite.ModelT, file: bytes) -> Any:
    """Returns everything that a reader of a file can learn except its layout.

    Args:
      model: the file's; every index in it points at something.
      file: the file, which holds what lies behind the flatbuffer.
    """
    model = copy.deepcopy(model)
    _bring_in(model, file)
    own_options.drop_ignored(model)
    return {
        "subgraphs": [_subgraph(model, i) for i in range(len(model.subgraphs))],
        "description": model.description,
        "metadata": Counter((e.name, _data(model, e.buffer)) for e in model.metadata or []),
        "metadata buffers": [_data(model, index) for index in _some(model.metadataBuffer)],
    }
