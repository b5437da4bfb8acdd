"""Pairs what a float model computes with what its quantized sibling computes.

Where a tensor's name survived quantization, the name decides. Elsewhere both graphs are reduced to
what they share, operators' names and tensors' shapes, without quantization, constants and what only
changes between kinds of numbers; then tools/diff pairs their operators.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tools.lib.meaning import alignment, meaning
from tools.lib.tflite_file.model import Model, Operator, Subgraph, Tensor
from tools.lib.tflite_file.report import is_quantized

# These change how numbers are written, not which they are.
_CONVERSIONS = frozenset({"CAST", "DEQUANTIZE", "FAKE_QUANT", "QUANTIZE"})
# And these only where they stand: their error is that of what they move.
_MOVES = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE", "TRANSPOSE"})
_SOME = np.zeros(1, np.uint8)
_NONE = np.zeros(0, np.uint8)


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """A tensor of the float model and the one that stands for it in the quantized model.

    Attributes:
      operator: the operator that computes it in the quantized model.
      left: the float tensor.
      right: the other one.
      by: "name" or "structure".
    """

    operator: Operator
    left: Tensor
    right: Tensor
    by: str


def first_name(name: str) -> str:
    """Returns the first of the names that the MLIR converter joins where it fuses operators."""
    return name.partition(";")[0]


def _is_real(tensor: Tensor) -> bool:
    return tensor.dtype in ("FLOAT16", "FLOAT32") or is_quantized(tensor)


def computed(graph: Subgraph) -> dict[int, Operator]:
    """Returns the tensors that hold real numbers which an operator made, by index.

    What only moves or converts numbers is left out. So are custom operators: a detector's
    post-processing sorts boxes, and two orders of boxes have no error.
    """
    return {
        index: operator
        for operator in graph.operators
        if operator.builtin != "CUSTOM" and operator.name not in _CONVERSIONS | _MOVES
        for index in operator.outputs
        if index >= 0 and _is_real(graph.tensors[index])
    }


def _skeleton(graph: Subgraph) -> tuple[Subgraph, list[int]]:
    """A subgraph by names of operators and shapes alone; and which operators of it stayed."""
    origin: dict[int, int] = {}
    kept: list[Operator] = []
    indices: list[int] = []
    for operator in graph.operators:
        inputs = tuple(origin.get(index, index) for index in operator.inputs)
        if operator.name in _CONVERSIONS and inputs and operator.outputs:
            origin[operator.outputs[0]] = inputs[0]
            continue
        indices.append(operator.index)
        kept.append(
            dataclasses.replace(
                operator,
                index=len(kept),
                inputs=inputs,
                options_type="",
                options={},
                custom_options=_NONE,
                intermediates=(),
            )
        )
    tensors = [
        dataclasses.replace(
            tensor,
            dtype="FLOAT32",
            # All constants are alike: the digest of one byte is made once.
            buffer=int(tensor.data.size > 0),
            data=_SOME if tensor.data.size else _NONE,
            quantization=None,
            sparsity=None,
            variants=(),
        )
        for tensor in graph.tensors
    ]
    outputs = tuple(origin.get(index, index) for index in graph.outputs)
    made = dataclasses.replace(
        graph, index=0, tensors=tuple(tensors), operators=tuple(kept), outputs=outputs
    )
    return made, indices


def _graph(model: Model) -> tuple[meaning.Graph, list[int]]:
    skeleton, indices = _skeleton(model.subgraphs[0])
    reduced = dataclasses.replace(model, subgraphs=(skeleton,), buffers=(_NONE, _SOME))
    return meaning.graphs(reduced)[0], indices


def _by_name(
    left: Mapping[str, Sequence[int]], right: Mapping[str, Sequence[int]]
) -> list[tuple[int, int]]:
    """Indices of what has a name that both sides have once."""
    return [
        (found[0], right[name][0])
        for name, found in left.items()
        if len(found) == 1 and len(right.get(name, ())) == 1
    ]


def pair_tensors(left: Model, right: Model) -> list[Pair]:
    """Pairs the tensors of two models' first subgraphs, each at most once.

    Args:
      left: the float model.
      right: its quantized sibling.

    Returns:
      Pairs of equal shape, in the order in which the quantized model computes them.
    """
    graphs = (left.subgraphs[0], right.subgraphs[0])
    made = [computed(graph) for graph in graphs]
    found: dict[int, tuple[int, str]] = {}
    taken: set[int] = set()

    def add(i: int, j: int, by: str) -> None:
        free = i in made[0] and j in made[1] and i not in taken and j not in found
        if free and graphs[0].tensors[i].shape == graphs[1].tensors[j].shape:
            found[j] = (i, by)
            taken.add(i)

    for key in (str, first_name):
        names = []
        for graph, indices in zip(graphs, made, strict=True):
            groups = collections.defaultdict(list)
            for index in indices:
                groups[key(graph.tensors[index].name)].append(index)
            names.append(groups)
        for i, j in _by_name(*names):
            add(i, j, "name")
    (a, kept_a), (b, kept_b) = map(_graph, (left, right))
    for i, j in alignment.pair_operators(a, b):
        pair = (graphs[0].operators[kept_a[i]], graphs[1].operators[kept_b[j]])
        for outputs in zip(*(operator.outputs for operator in pair), strict=False):
            if min(outputs) >= 0 and pair[0].name == pair[1].name:
                add(*outputs, "structure")
    return [
        Pair(operator, graphs[0].tensors[found[j][0]], graphs[1].tensors[j], found[j][1])
        for j, operator in made[1].items()
        if j in found
    ]
