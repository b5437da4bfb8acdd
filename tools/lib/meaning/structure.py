"""What is left of a model without the numbers that training gives it: its structure.

These count: operators, how their values meet, options, types, shapes, whether a tensor is quantized
per tensor or along which axis, inputs and outputs, and signatures with all their names. Constants
that are not real numbers count with their values, because they are shapes, axes or paddings. A
scale and its zero point count only where the operator fixes them (`_FIXED_SCALE`).

Names of tensors do not count. They are no part of the meaning either, so two files of the same
meaning always have the same structure. And a converter makes them up: from one SavedModel,
TensorFlow 2.8.4 and 2.9.2 write files that differ in names of inner tensors alone
(tests/released/README.md). The names by which a caller asks are those of signatures.
"""

import collections
import dataclasses
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from reproducible_tflite.lib.meaning import meaning
from reproducible_tflite.lib.meaning.meaning import Graph
from reproducible_tflite.lib.tflite_file.model import Model, Quantization, Subgraph, Tensor

# Operators whose kernels accept one scale and zero point of a quantized output.
_FIXED_SCALE = frozenset({"L2_NORMALIZATION", "LOGISTIC", "LOG_SOFTMAX", "SOFTMAX", "TANH"})
_NO_ZERO_POINT = np.zeros(0, np.int64)


def _quantization(quantization: Quantization) -> Quantization:
    return dataclasses.replace(
        quantization, scale=np.ones_like(quantization.scale), zero_point=_NO_ZERO_POINT
    )


def _sparsity(sparsity: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the storage of a sparse constant without the places of its values."""
    return {
        name: [(part["format"], part["dense_size"]) for part in value]
        if name == "dimensions"
        else value
        for name, value in sparsity.items()
    }


def _tensor(tensor: Tensor, buffer: int, fixed: bool) -> Tensor:
    """Returns a tensor without its numbers.

    Args:
      tensor: the tensor.
      buffer: the number of a buffer that only this tensor has.
      fixed: whether its scale is fixed.
    """
    data = tensor.data
    if tensor.is_parameter:
        data = np.frombuffer(struct.pack("<q", 0 if tensor.sparsity else data.size), np.uint8)
    return dataclasses.replace(
        tensor,
        buffer=buffer,
        data=data,
        quantization=tensor.quantization
        if fixed or tensor.quantization is None
        else _quantization(tensor.quantization),
        sparsity=tensor.sparsity and _sparsity(tensor.sparsity),
    )


def _subgraph(graph: Subgraph, buffers: list[np.ndarray]) -> Subgraph:
    fixed = {
        index
        for operator in graph.operators
        if operator.builtin in _FIXED_SCALE
        for index in operator.outputs
    }
    tensors = []
    for tensor in graph.tensors:
        tensors.append(_tensor(tensor, len(buffers), tensor.index in fixed))
        buffers.append(tensors[-1].data)
    return dataclasses.replace(graph, tensors=tuple(tensors))


def _without_numbers(model: Model) -> Model:
    buffers: list[np.ndarray] = []
    subgraphs = tuple(_subgraph(graph, buffers) for graph in model.subgraphs)
    return dataclasses.replace(model, subgraphs=subgraphs, buffers=tuple(buffers))


def _places(graph: Graph, role: int, arguments: Mapping[str, int]) -> dict[str, Any]:
    """Returns a signature's arguments by their places, or as values if they have none."""
    places = graph.positions[role]
    return {
        name: places[index] if index in places else graph.value(index)
        for name, index in arguments.items()
    }


def digest(model: Model) -> str:
    """Returns the SHA-256 digest of a model's structure, in hexadecimal.

    Two models have the same digest if and only if `comparison.compare` says "same graph, other
    weights" or something stricter, provided that this schema knows all their parts.
    """
    graphs = meaning.graphs(_without_numbers(model))
    counts: collections.Counter[str] = collections.Counter()
    signatures = []
    # The runtime takes the first signature of a key.
    for signature in sorted(model.signatures, key=lambda signature: signature.key):
        graph = graphs[signature.subgraph]
        arguments = [
            _places(graph, role, side)
            for role, side in enumerate((signature.inputs, signature.outputs))
        ]
        signatures.append((signature.key, counts[signature.key], graph.summary, arguments))
        counts[signature.key] += 1
    main, *others = [graph.summary for graph in graphs] or [b""]
    return meaning.digest(
        main, sorted(others), signatures, bool(model.refusals), sorted(model.newer)
    ).hex()
