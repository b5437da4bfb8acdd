"""Pairs the tensors of a float model with those of its quantized sibling.

Tensors with the same name are paired by name. For the others, both graphs are reduced to what they
have in common: the names of operators and the shapes of tensors, without quantization, constants
and conversions between number types. Then their operators are paired as for tools/diff.
"""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.meaning import alignment, meaning
from reproducible_tflite.lib.quantization_recipe.recipe import layer_name
from reproducible_tflite.lib.tflite_file.model import Model, Operator, Subgraph, Tensor

# These change the type of numbers, not the numbers.
_CONVERSIONS = frozenset({"CAST", "DEQUANTIZE", "FAKE_QUANT", "QUANTIZE"})
# These change only the layout, so their error is that of their input.
_MOVES = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE", "TRANSPOSE"})
_ONE_BYTE = np.zeros(1, np.uint8)
_NO_DATA = np.zeros(0, np.uint8)


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """A tensor of the float model and its counterpart in the quantized model.

    Attributes:
      operator: the operator that computes it in the quantized model.
      left: the float model's tensor.
      right: the quantized model's tensor.
      by: how they were paired, "name", "structure" or "output".
    """

    operator: Operator
    left: Tensor
    right: Tensor
    by: str


def _is_real(tensor: Tensor) -> bool:
    return tensor.dtype in ("FLOAT16", "FLOAT32") or tensor.is_quantized


def computed(graph: Subgraph) -> dict[int, Operator]:
    """Returns the operators that compute real numbers, by the index of their output tensor.

    Operators that only move or convert numbers are left out. So are custom operators: a detector's
    post-processing sorts boxes, and an error between two orders of boxes means nothing.
    """
    return {
        index: operator
        for operator in graph.operators
        if operator.builtin != "CUSTOM" and operator.name not in _CONVERSIONS | _MOVES
        for index in operator.outputs
        if index >= 0 and _is_real(graph.tensors[index])
    }


def unpaired(graph: Subgraph, paired: Iterable[int]) -> int:
    """Returns how many of the tensors of `computed` are not among those that were paired.

    Args:
      graph: the subgraph.
      paired: the paired tensors' indices; outputs may be among them that `computed` leaves out.
    """
    return len(computed(graph).keys() - set(paired))


def _skeleton(graph: Subgraph) -> tuple[Subgraph, list[int]]:
    """Reduces a subgraph to operators' names and shapes; also returns which operators it keeps."""
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
                custom_options=_NO_DATA,
                intermediates=(),
            )
        )
    tensors = [
        dataclasses.replace(
            tensor,
            dtype="FLOAT32",
            # All constants become equal, so only one digest is computed.
            buffer=int(tensor.data.size > 0),
            data=_ONE_BYTE if tensor.data.size else _NO_DATA,
            quantization=None,
            sparsity=None,
            variants=(),
        )
        for tensor in graph.tensors
    ]
    outputs = tuple(origin.get(index, index) for index in graph.outputs)
    skeleton = dataclasses.replace(
        graph, index=0, tensors=tuple(tensors), operators=tuple(kept), outputs=outputs
    )
    return skeleton, indices


def _graph(model: Model) -> tuple[meaning.Graph, list[int]]:
    skeleton, indices = _skeleton(model.subgraphs[0])
    reduced = dataclasses.replace(model, subgraphs=(skeleton,), buffers=(_NO_DATA, _ONE_BYTE))
    return meaning.graphs(reduced)[0], indices


def _by_name(
    left: Mapping[str, Sequence[int]], right: Mapping[str, Sequence[int]]
) -> list[tuple[int, int]]:
    """Returns the pairs of indices whose name occurs exactly once on both sides."""
    return [
        (indices[0], right[name][0])
        for name, indices in left.items()
        if len(indices) == 1 and len(right.get(name, ())) == 1
    ]


def pair_ends(left: Model, right: Model) -> list[Pair]:
    """Pairs what two siblings compute last, in order; see `tasks.ends`.

    Args:
      left: the float model.
      right: its sibling with quantized weights.
    """
    makers = right.subgraphs[0].makers
    return [
        Pair(makers[b.index], a, b, "output")
        for a, b in zip(tasks.ends(left), tasks.ends(right), strict=False)
        if b.index in makers
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
    operators = [computed(graph) for graph in graphs]
    # The float tensor and how it was paired, by the quantized tensor.
    partners: dict[int, tuple[int, str]] = {}
    taken: set[int] = set()

    def add(i: int, j: int, by: str) -> None:
        known = i in operators[0] and j in operators[1]
        free = i not in taken and j not in partners
        if known and free and graphs[0].tensors[i].shape == graphs[1].tensors[j].shape:
            partners[j] = (i, by)
            taken.add(i)

    for key in (str, layer_name):
        names = []
        for graph, indices in zip(graphs, operators, strict=True):
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
        Pair(operator, graphs[0].tensors[partners[j][0]], graphs[1].tensors[j], partners[j][1])
        for j, operator in operators[1].items()
        if j in partners
    ]
