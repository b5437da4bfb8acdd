"""The contents of a .tflite as plain data, in the form of report.schema.json.

A report depends only on its inputs: it has no path, no time and nothing about the machine, and its
text is the same everywhere.
"""

import collections
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reproducible_tflite.lib.tflite_file import mapped, runtime_version
from reproducible_tflite.lib.tflite_file.model import FLOATING, Model, Operator, Subgraph, Tensor

# The version of the form; incompatible changes increase it.
VERSION = 2

_FLOAT32 = np.finfo(np.float32)
# Longer lines are broken up, except lists of numbers.
_LINE = 100

_Json = Any


def number(value: float) -> float | str:
    """Returns a float for JSON with the fewest digits that identify it.

    A float that a float32 holds exactly gets the fewest digits that identify the float32: 0.6 for
    0.6000000238418579. Others than finite ones become "NaN", "Infinity" or "-Infinity".
    """
    value = float(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if abs(value) > _FLOAT32.max:
        return value
    narrow = np.float32(value)
    return float(str(narrow)) if float(narrow) == value else value


def _numbers(values: np.ndarray) -> list[float | str]:
    return [number(value) for value in values]


def _plain(value: Any) -> _Json:
    """Returns a decoded value (an operator's options) for JSON; maps are sorted by key."""
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value)}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return _undecoded(np.frombuffer(value, np.uint8))
    if isinstance(value, float):
        return number(value)
    return value


def _undecoded(data: np.ndarray) -> _Json:
    return {"bytes": data.size, "sha256": hashlib.sha256(data.tobytes()).hexdigest()}


def _quantization(tensor: Tensor) -> _Json:
    """Returns a tensor's quantization; None if the file states none."""
    quantization = tensor.quantization
    if quantization is None:
        return None
    parts = (
        quantization.scale,
        quantization.zero_point,
        quantization.minimum,
        quantization.maximum,
    )
    if not quantization.details and not any(part.size for part in parts):
        return None
    if quantization.details:
        kind = "custom"
    elif quantization.scale.size and tensor.dtype in FLOATING:
        kind = "ignored"
    elif quantization.scale.size > 1:
        kind = "per_channel"
    else:
        kind = "per_tensor" if quantization.scale.size else "range_only"
    return {
        "kind": kind,
        "scale": _numbers(quantization.scale),
        "zero_point": quantization.zero_point.tolist(),
        "axis": quantization.axis if quantization.scale.size > 1 else None,
        "minimum": _numbers(quantization.minimum),
        "maximum": _numbers(quantization.maximum),
        "details": _plain(quantization.details),
    }


def _elements(tensor: Tensor) -> int:
    # Sparse constants have fewer values than their shape has elements; a length may be unknown.
    if min(tensor.shape, default=0) < 0:
        return tensor.stored_elements
    return min(tensor.stored_elements, math.prod(tensor.shape))


def _end(tensor: Tensor) -> _Json:
    """Returns an input or output as its caller sees it."""
    return {
        "tensor": tensor.index,
        "name": tensor.name,
        "type": tensor.dtype,
        "shape": list(tensor.shape),
        "shape_signature": list(tensor.shape_signature),
        "is_ranked": tensor.is_ranked,
        "quantization": _quantization(tensor),
    }


def _tensor(tensor: Tensor) -> _Json:
    return {
        "index": tensor.index,
        "name": tensor.name,
        "role": tensor.role,
        "type": tensor.dtype,
        "shape": list(tensor.shape),
        "shape_signature": list(tensor.shape_signature),
        "is_ranked": tensor.is_ranked,
        "buffer": tensor.buffer,
        "constant_bytes": tensor.data.size,
        "is_variable": tensor.is_variable,
        "is_sparse": tensor.sparsity is not None,
        "quantization": _quantization(tensor),
    }


def _custom_options(operator: Operator) -> _Json:
    if not operator.custom_options.size:
        return None
    decoded = operator.decoded_custom_options
    return _undecoded(operator.custom_options) if decoded is None else _plain(decoded)


def _layer(graph: Subgraph, operator: Operator) -> str:
    """Returns a layer's name: that of the first tensor its operator writes."""
    return next((graph.tensors[index].name for index in operator.outputs if index >= 0), "")


class _Constants:
    """Counts every constant once, for the operator that reads it first."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def take(self, tensors: Sequence[Tensor]) -> dict[str, int]:
        """Counts the tensors whose buffers have not been counted yet.

        Returns:
          The bytes of all constants, of those that stand for real numbers ("parameters"), and of
          those that do so by integers ("quantized"); and the number of parameters.
        """
        counts = collections.Counter(
            constant_bytes=0, parameter_bytes=0, quantized_bytes=0, parameters=0
        )
        for tensor in tensors:
            if not tensor.data.size or tensor.buffer in self._seen:
                continue
            self._seen.add(tensor.buffer)
            counts["constant_bytes"] += tensor.data.size
            if tensor.is_parameter:
                counts["parameter_bytes"] += tensor.data.size
                counts["quantized_bytes"] += tensor.data.size * tensor.is_quantized
                counts["parameters"] += _elements(tensor)
        return dict(counts)


def _operator(graph: Subgraph, operator: Operator, constants: _Constants) -> _Json:
    read = [graph.tensors[index] for index in operator.inputs if index >= 0]
    return {
        "index": operator.index,
        "name": operator.name,
        "version": operator.version,
        "layer": _layer(graph, operator),
        "inputs": list(operator.inputs),
        "outputs": list(operator.outputs),
        **constants.take(read),
        "options": _plain(operator.options),
        "custom_options": _custom_options(operator),
    }


def _subgraph(graph: Subgraph, constants: _Constants) -> _Json:
    return {
        "index": graph.index,
        "name": graph.name,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "operators": [_operator(graph, operator, constants) for operator in graph.operators],
        "tensors": [_tensor(tensor) for tensor in graph.tensors],
    }


def operator_counts(model: Model) -> list[dict[str, Any]]:
    """Returns operators by name and version, sorted by both, with number and needed runtime."""
    counts = collections.Counter(
        (operator.name, operator.version, operator.builtin == "CUSTOM")
        for graph in model.subgraphs
        for operator in graph.operators
    )
    return [
        {
            "name": name,
            "version": version,
            "is_custom": custom,
            "count": count,
            "minimum_runtime": None if custom else runtime_version.of_operator(name, version),
        }
        for (name, version, custom), count in sorted(counts.items())
    ]


def needed_runtime(counts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the report's `needed_runtime` and `unknown_runtimes`.

    Args:
      counts: the result of `operator_counts`.
    """
    unknown = [row for row in counts if row["minimum_runtime"] is None]
    return {
        "needed_runtime": runtime_version.newest(row["minimum_runtime"] for row in counts),
        "unknown_runtimes": [f"{row['name']} version {row['version']}" for row in unknown],
    }


def arithmetic(model: Model) -> str:
    """Returns the kind of a model's arithmetic.

    Returns:
      "integer"; "mixed", for integers and floating point; "dynamic_range", for floating point with
      quantized weights; "float16", for floating point with float16 weights; or "float".
    """
    computed, weights = set(), set()
    for graph in model.subgraphs:
        for operator in graph.operators:
            # Conversions are not computations in their type.
            if operator.name == "DEQUANTIZE":
                continue
            for index in operator.outputs:
                if index >= 0 and graph.tensors[index].role == "inner":
                    tensor = graph.tensors[index]
                    if tensor.is_quantized:
                        computed.add("integer")
                    elif tensor.dtype in FLOATING:
                        computed.add("float")
        for tensor in graph.tensors:
            if tensor.is_parameter:
                weights.add("integer" if tensor.is_quantized else tensor.dtype)
    if "integer" in computed:
        return "mixed" if "float" in computed else "integer"
    if "integer" in weights:
        return "dynamic_range"
    return "float16" if "FLOAT16" in weights else "float"


def _totals(model: Model, subgraphs: Sequence[_Json], unread: Mapping[str, int]) -> _Json:
    operators = [operator for graph in subgraphs for operator in graph["operators"]]

    def total(field: str) -> int:
        return unread[field] + sum(operator[field] for operator in operators)

    metadata = sum(entry.data.size for entry in model.metadata)
    options = sum(
        operator.custom_options.size for graph in model.subgraphs for operator in graph.operators
    )
    others = total("constant_bytes") + metadata + options + model.trailing.size
    return {
        "subgraphs": len(subgraphs),
        "operators": len(operators),
        "tensors": sum(len(graph["tensors"]) for graph in subgraphs),
        "parameters": total("parameters"),
        "constant_bytes": total("constant_bytes"),
        "unread_constant_bytes": unread["constant_bytes"],
        "parameter_bytes": total("parameter_bytes"),
        "quantized_bytes": total("quantized_bytes"),
        "quantized_share": round(total("quantized_bytes") / max(1, total("parameter_bytes")), 6),
        "metadata_bytes": metadata,
        "custom_option_bytes": options,
        "trailing_bytes": model.trailing.size,
        # Buffers may overlap, so their total may exceed the file's size.
        "structure_bytes": max(0, model.size - others),
    }


def _signatures(model: Model) -> list[_Json]:
    return [
        {
            "key": signature.key,
            "subgraph": signature.subgraph,
            "inputs": _plain(signature.inputs),
            "outputs": _plain(signature.outputs),
        }
        for signature in model.signatures
    ]


def build(
    model: Model,
    content: mapped.Content,
    name: str,
    facts: Mapping[str, Any] | None = None,
    weights: str | None = None,
    structure: str | None = None,
) -> dict[str, Any]:
    """Returns the report that report.schema.json describes.

    Args:
      model: the result of `reader.read` on the file.
      content: the file's bytes.
      name: the file's name, without its folder.
      facts: the build's facts about the file; None outside of a build.
      weights: the kind of weights if there are no facts; None for a foreign file.
      structure: the result of `structure.digest` of //tools/lib/meaning, if it is asked for.
    """
    constants = _Constants()
    subgraphs = [_subgraph(graph, constants) for graph in model.subgraphs]
    unread = constants.take([tensor for graph in model.subgraphs for tensor in graph.tensors])
    totals = _totals(model, subgraphs, unread)
    # The subgraph that runs if no signature is named; a damaged model may have none.
    main = model.subgraphs[0] if model.subgraphs else None
    counts = operator_counts(model)
    return {
        "version": VERSION,
        "name": name,
        "size": model.size,
        "sha256": mapped.sha256(content),
        "structure": structure,
        "description": model.description,
        "weights": weights if facts is None else facts["weights"],
        "arithmetic": arithmetic(model),
        "schema_version": model.version,
        "minimum_runtime": model.minimum_runtime,
        **needed_runtime(counts),
        "refusals": list(model.refusals),
        "newer": list(model.newer),
        "build": None if facts is None else _plain(facts),
        "inputs": [_end(main.tensors[index]) for index in main.inputs] if main else [],
        "outputs": [_end(main.tensors[index]) for index in main.outputs] if main else [],
        "operator_counts": counts,
        "totals": totals,
        "signatures": _signatures(model),
        "metadata": [{"name": entry.name, "bytes": entry.data.size} for entry in model.metadata],
        "subgraphs": subgraphs,
    }


def _text(value: _Json, indent: int) -> str:
    """Returns JSON in which every part that fits on a line is on one line."""
    line = json.dumps(value)
    parts = list(value.values()) if isinstance(value, dict) else value
    nested = isinstance(value, (dict, list)) and any(isinstance(p, (dict, list)) for p in parts)
    if indent + len(line) <= _LINE or not (nested or isinstance(value, dict)):
        return line
    space = " " * (indent + 2)
    if isinstance(value, dict):
        rows = [f"{json.dumps(key)}: {_text(item, indent + 2)}" for key, item in value.items()]
        opening, closing = "{}"
    else:
        rows = [_text(item, indent + 2) for item in value]
        opening, closing = "[]"
    body = ",\n".join(space + row for row in rows)
    return f"{opening}\n{body}\n{' ' * indent}{closing}"


def text(report: Mapping[str, Any]) -> str:
    """Returns a report as ASCII JSON in which every part that fits on a line is on one line."""
    return _text(dict(report), 0) + "\n"
