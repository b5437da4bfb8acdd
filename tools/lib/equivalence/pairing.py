"""Pairs a model's tensors with the arrays of the graph that it was converted from, by name."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from reproducible_tflite.lib.equivalence.graph import Array
from reproducible_tflite.lib.tflite_file.model import Model, Operator, Tensor

_CALLS = re.compile("^(?:StatefulPartitionedCall/)+")
_NUMBER = re.compile(r"\d+$")
_ACTIVATIONS = {"RELU": ("Relu",), "RELU6": ("Relu6",)}
_ENDS = ("Add", "AddV2", "BiasAdd")
# These change only the type or the layout, so they have no error of their own.
MOVES = frozenset(
    {"CAST", "DEQUANTIZE", "EXPAND_DIMS", "QUANTIZE", "RESHAPE", "SQUEEZE", "TRANSPOSE"}
)


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """A tensor of the model and its array.

    Attributes:
      operator: what computes the tensor.
      tensor: the model's tensor.
      array: the graph's array.
    """

    operator: Operator
    tensor: Tensor
    array: str


def is_real(tensor: Tensor) -> bool:
    """Returns whether a tensor stands for real numbers."""
    return tensor.dtype in ("FLOAT16", "FLOAT32", "FLOAT64") or tensor.is_quantized


class _Names:
    """Finds arrays by what a converter made of their names."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays
        self._readers: dict[str, list[str]] = {}
        for name, array in arrays.items():
            for read in array.reads:
                self._readers.setdefault(read, []).append(name)
        self._known: dict[str, list[str]] = {}
        for array in arrays:
            name = _plain(array)
            for key in dict.fromkeys([name, name.partition("/")[2]]):
                self._known.setdefault(key, []).append(array)

    def _found(self, tensor: Tensor, name: str) -> str | None:
        # A second tensor of a name gets a number, and Keras numbers models that have no name.
        for key in (name, _NUMBER.sub("", name), name.partition("/")[2]):
            found = self._known.get(key, []) if key else []
            fitting = [array for array in found if _fits(tensor, self._arrays[array].shape)]
            if len(fitting) == 1:
                return fitting[0]
        return None

    def activated(self, array: str, operator: Operator) -> str:
        """Returns the array that an operator's fused activation makes of another one.

        From TensorFlow 2.5 on, the MLIR converter may leave out the names of a batch norm and of
        the activation after it.
        """
        ops = _ACTIVATIONS.get(operator.options.get("fused_activation_function", ""), ())
        after = array
        while ops and self._arrays[after].op not in ops:
            shape = self._arrays[after].shape
            readers = [x for x in self._readers.get(after, ()) if self._arrays[x].shape == shape]
            if len(readers) != 1:
                return array
            after = readers[0]
        return after

    def array(self, tensor: Tensor) -> str | None:
        """Returns the array that a tensor stands for; None if its name names none of its shape.

        The MLIR converter joins with ";" the names of all that it fused, the last one first, and
        those of other nodes that have equal constants. Only what ends a matrix product may come
        after it.
        """
        found = [self._found(tensor, _plain(name)) for name in tensor.name.split(";")]
        arrays = [array for array in dict.fromkeys(found) if array is not None]
        if not arrays:
            return None
        last = arrays[0]
        while True:
            later = [
                array
                for array in arrays
                if self._arrays[array].op in _ENDS and last in self._arrays[array].reads
            ]
            if not later:
                return last
            last = later[0]


def _plain(name: str) -> str:
    """Returns a name without what a SavedModel's calls put before it, and without ":0"."""
    return _CALLS.sub("", name).removesuffix(":0")


def _fits(tensor: Tensor, shape: tuple[int, ...] | None) -> bool:
    sizes = tensor.shape_signature or tensor.shape
    return (
        shape is not None
        and len(shape) == len(sizes)
        and all(size in (-1, length) for size, length in zip(sizes, shape, strict=True))
    )


def pair(
    model: Model,
    arrays: Mapping[str, Array],
    inputs: Sequence[str],
    ends: Sequence[tuple[Tensor, str]],
) -> list[Pair]:
    """Pairs what a model computes with arrays of its graph, each at most once.

    Args:
      model: the model.
      arrays: the graph's arrays.
      inputs: the graph's inputs, which are paired already.
      ends: the tensors to compare at the end and their arrays, which are paired in any case.

    Returns:
      Pairs in the order in which the model computes them; those of `ends` are among them.
    """
    graph = model.subgraphs[0]
    stated = {tensor.index: array for tensor, array in ends}
    taken = {*inputs, *stated.values()}
    names = _Names(arrays)
    pairs = []
    for operator in graph.operators:
        for index in operator.outputs:
            if index in stated:
                pairs.append(Pair(operator, graph.tensors[index], stated[index]))
                continue
            if index < 0 or operator.name in MOVES or not is_real(graph.tensors[index]):
                continue
            array = names.array(graph.tensors[index])
            array = array and names.activated(array, operator)
            if array is not None and array not in taken:
                taken.add(array)
                pairs.append(Pair(operator, graph.tensors[index], array))
    return pairs
