"""Holds two .tflite files of one network against each other: weights, and every other field."""

import collections
import dataclasses
import hashlib
import pathlib
import re
from typing import Any

import numpy as np

from tools.canonicalize.schema import tflite

_OPERATORS = {
    value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)
}
_TYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.INT8: np.int8,
    tflite.TensorType.INT32: np.int32,
}
_QUANTIZATION = ("scale", "zeroPoint", "quantizedDimension", "min", "max")


@dataclasses.dataclass(frozen=True)
class Weight:
    """A constant of both models.

    Attributes:
      name: its name in the second.
      values: its elements in both.
      scales: the real size of a step in both; empty for floating point.
    """

    name: str
    values: tuple[np.ndarray, np.ndarray]
    scales: tuple[np.ndarray, np.ndarray]


def read(path: str) -> tflite.ModelT:
    """Reads a .tflite file with one subgraph."""
    return tflite.ModelT.InitFromPackedBuf(pathlib.Path(path).read_bytes())


def operators(model: tflite.ModelT) -> list[str]:
    """Returns the names of the operators in the order in which they run."""
    return [_OPERATORS[_code(model, operator)] for operator in model.subgraphs[0].operators]


def weights(first: tflite.ModelT, second: tflite.ModelT) -> list[Weight]:
    """Returns the constants of two models with the same operators, pair by pair."""
    found = []
    for pair in _tensors(first, second):
        data = [
            model.buffers[tensor.buffer].data
            for model, tensor in zip((first, second), pair, strict=True)
        ]
        if data[0] is None and data[1] is None:
            continue
        values = tuple(
            np.frombuffer(bytes(content), _TYPES[tensor.type])
            for content, tensor in zip(data, pair, strict=True)
        )
        scales = tuple(np.asarray(_quantization(tensor, "scale") or ()) for tensor in pair)
        found.append(Weight(_text(pair[1].name), values, scales))
    return found


def differences(first: tflite.ModelT, second: tflite.ModelT) -> dict[str, list[str]]:
    """Compares every field of two models with the same operators, but for the weights' values.

    Args:
      first: a model.
      second: another.

    Returns:
      By the field's name, as "tensor.name", where it differs: "WHERE: FIRST against SECOND".
    """
    found = collections.defaultdict(list)

    def compare(field: str, where: str, a: Any, b: Any) -> None:
        if _plain(a) != _plain(b):
            found[field].append(f"{where}: {_plain(a)!r} against {_plain(b)!r}")

    for field in ("version", "description"):
        compare(f"model.{field}", "model", getattr(first, field), getattr(second, field))
    metadata = (_metadata(first), _metadata(second))
    for name in sorted(metadata[0].keys() | metadata[1].keys()):
        compare("model.metadata", name, *(entries.get(name) for entries in metadata))
    compare("model.signatureDefs", "keys", _signatures(first), _signatures(second))
    for operation, (a, b) in enumerate(_operations(first, second)):
        where = f"{operators(second)[operation]} {operation}"
        codes = (first.operatorCodes[a.opcodeIndex], second.operatorCodes[b.opcodeIndex])
        compare("operator.version", where, codes[0].version, codes[1].version)
        compare("operator.options", where, _options(a), _options(b))
    for a, b in _tensors(first, second):
        where = _text(b.name)
        for field in ("name", "type", "shape", "shapeSignature"):
            compare(f"tensor.{field}", where, getattr(a, field), getattr(b, field))
        for field in _QUANTIZATION:
            compare(f"tensor.{field}", where, _quantization(a, field), _quantization(b, field))
    compare("layout", "tensors and buffers", _layout(first), _layout(second))
    return dict(found)


def _code(model: tflite.ModelT, operator: tflite.OperatorT) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def _operations(
    first: tflite.ModelT, second: tflite.ModelT
) -> list[tuple[tflite.OperatorT, tflite.OperatorT]]:
    pairs = zip(first.subgraphs[0].operators, second.subgraphs[0].operators, strict=True)
    return list(pairs)


def _tensors(
    first: tflite.ModelT, second: tflite.ModelT
) -> list[tuple[tflite.TensorT, tflite.TensorT]]:
    """Pairs the tensors by what reads and writes them, in the order of the operators."""
    pairs = {}
    for a, b in _operations(first, second):
        for i, j in zip([*a.inputs, *a.outputs], [*b.inputs, *b.outputs], strict=True):
            if pairs.setdefault(int(i), int(j)) != j:
                raise ValueError(f"tensor {i} is both {pairs[i]} and {j} of the other model")
    # -1 is an input that an operator goes without.
    return [
        (first.subgraphs[0].tensors[i], second.subgraphs[0].tensors[j])
        for i, j in pairs.items()
        if i >= 0
    ]


def _plain(value: Any) -> Any:
    """Returns a value that can be compared and shown: no arrays, no bytes for text."""
    if isinstance(value, bytes):
        return _text(value)
    return value.tolist() if isinstance(value, np.ndarray) else value


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "backslashreplace").rstrip("\0")


def _quantization(tensor: tflite.TensorT, field: str) -> Any:
    value = getattr(tensor.quantization, field, None)
    # Without a range these fields are left out, empty or zero.
    return None if value is None or (field == "quantizedDimension" and not value) else list(value)


def _options(operator: tflite.OperatorT) -> dict[str, Any]:
    return dict(vars(operator.builtinOptions)) if operator.builtinOptions else {}


def _metadata(model: tflite.ModelT) -> dict[str, str]:
    """Returns every entry by name: the versions in it, and a digest of the whole."""
    entries = {}
    for entry in model.metadata or []:
        content = bytes(model.buffers[entry.buffer].data)
        versions = [version.decode() for version in re.findall(rb"\d+\.\d+\.\d+", content)]
        digest = hashlib.sha256(content).hexdigest()[:8]
        entries[_text(entry.name)] = f"{' '.join(versions)} (sha256 {digest}...)"
    return entries


def _signatures(model: tflite.ModelT) -> list[str]:
    return [_text(signature.signatureKey) for signature in model.signatureDefs or []]


def _layout(model: tflite.ModelT) -> list[list[int]]:
    """Returns the numbers of every operator's tensors, and those of their buffers."""
    graph = model.subgraphs[0]
    used = [[int(i) for i in (*x.inputs, *x.outputs) if i >= 0] for x in graph.operators]
    return used + [[graph.tensors[index].buffer for index in indices] for indices in used]
