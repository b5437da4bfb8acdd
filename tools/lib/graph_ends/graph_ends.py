"""The arrays of a GraphDef and which of them depend on which, found without importing it."""

import collections
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_PLACEHOLDER = "Placeholder"
# Only their first output is for inference.
_FIRST_OUTPUT_ONLY = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
# Where ops that TensorFlow does not define, such as TFLite_Detection_PostProcess, state outputs.
_CUSTOM_OUTPUT_TYPES = "_output_types"
_DETECTION = "TFLite_Detection_PostProcess"
_DETECTION_TYPES = ("float32",) * 4


def node_of(array: str) -> str:
    """Returns the node of an array, or of a control input."""
    return array.removeprefix("^").partition(":")[0]


def array_of(tensor: str) -> str:
    """Returns the name that converters take: `x` for `x:0`, and `x:1` as it is."""
    return tensor.removesuffix(":0")


def type_name(number: int) -> str:
    """Returns the name of a DataType, such as "float32"; "" for that of an unknown type."""
    from tensorflow.python.framework import dtypes

    return dtypes.as_dtype(number).name if number else ""


def is_custom(node: Any) -> bool:
    """Returns whether a node's op is none of TensorFlow's."""
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(node.op) is None


def output_types(node: Any) -> list[str]:
    """Returns the type of each output of a node, such as "float32"; "" for one not known."""
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    if definition is None:
        # Reading an attribute that is not there would add it.
        if _CUSTOM_OUTPUT_TYPES in node.attr:
            return [type_name(number) for number in node.attr[_CUSTOM_OUTPUT_TYPES].list.type]
        return list(_DETECTION_TYPES) if node.op == _DETECTION else [""]
    # A node need not have attributes that have their default values.
    attributes = {row.name: row.default_value for row in definition.attr} | dict(node.attr)
    types: list[str] = []
    for output in definition.output_arg:
        if output.type_list_attr:
            types += map(type_name, attributes[output.type_list_attr].list.type)
        else:
            number = output.type or attributes[output.type_attr].type
            count = attributes[output.number_attr].i if output.number_attr else 1
            types += [type_name(number)] * count
    return types


class Graph:
    """The nodes of a graph, in any order; an input need not be there.

    Attributes:
      nodes: the NodeDefs by name.
      placeholders: the names of the placeholders, in order.
    """

    def __init__(self, graph_def: Any) -> None:
        self.nodes: Mapping[str, Any] = {node.name: node for node in graph_def.node}
        self.placeholders = [node.name for node in graph_def.node if node.op == _PLACEHOLDER]

    def similar(self, array: str) -> list[str]:
        """Returns up to three nodes with names like an array's."""
        return difflib.get_close_matches(array, self.nodes, n=3)

    def reached(self, outputs: Iterable[str], inputs: Iterable[str]) -> set[str]:
        """Returns the nodes that output arrays are computed from, back to the input arrays."""
        stops = set(map(node_of, inputs))
        found: set[str] = set()
        pending = list(map(node_of, outputs))
        while pending:
            name = pending.pop()
            if name in found or name not in self.nodes:
                continue
            found.add(name)
            if name not in stops:
                pending += map(node_of, self.nodes[name].input)
        return found

    def _depending(self, inputs: Iterable[str]) -> set[str]:
        """Returns the nodes that input arrays decide, and those of the inputs."""
        readers = collections.defaultdict(list)
        for name, node in self.nodes.items():
            for array in node.input:
                readers[node_of(array)].append(name)
        found: set[str] = set()
        pending = list(map(node_of, inputs))
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += readers[name]
        return found

    def open_ends(self, inputs: Sequence[str]) -> list[str]:
        """Returns the arrays that depend on an input array and that no node reads."""
        read = {
            node_of(array)
            for node in self.nodes.values()
            for array in node.input
            if not array.startswith("^")
        }
        last = self._depending(inputs) - read - set(map(node_of, inputs))
        return [array for name in self.nodes if name in last for array in self._arrays(name)]

    def _arrays(self, name: str) -> list[str]:
        node = self.nodes[name]
        count = 1 if node.op in _FIRST_OUTPUT_ONLY else len(output_types(node))
        return [f"{name}:{index}" if index else name for index in range(count)]
