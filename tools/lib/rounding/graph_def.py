"""A frozen graph, read without TensorFlow: its nodes and constants."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from reproducible_tflite.lib.cli import cli

_FLOAT32 = 1
# The messages and fields of TensorFlow's graph.proto that are read: (number, type), repeated if the
# type has a plus. Others are skipped.
_SCHEMA = {
    "Dim": {"size": (1, "INT64")},
    "Shape": {"dim": (2, "Dim+")},
    "Tensor": {
        "dtype": (1, "INT32"),
        "tensor_shape": (2, "Shape"),
        "tensor_content": (4, "BYTES"),
        "float_val": (5, "FLOAT+"),
    },
    "Value": {"f": (4, "FLOAT"), "tensor": (8, "Tensor")},
    "Attribute": {"key": (1, "STRING"), "value": (2, "Value")},
    "Node": {
        "name": (1, "STRING"),
        "op": (2, "STRING"),
        "input": (3, "STRING+"),
        "attr": (5, "Attribute+"),
    },
    "Graph": {"node": (1, "Node+")},
}
_PACKAGE = "reproducible_tflite.rounding"


def _message_class() -> type[message.Message]:
    file = descriptor_pb2.FileDescriptorProto(name="graph_def", package=_PACKAGE, syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in _SCHEMA.items():
        described = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            one = kind.removesuffix("+")
            added = described.field.add(
                name=field,
                number=number,
                label=kinds.LABEL_OPTIONAL if one == kind else kinds.LABEL_REPEATED,
                type=kinds.TYPE_MESSAGE if one in _SCHEMA else kinds.Type.Value("TYPE_" + one),
            )
            if one in _SCHEMA:
                added.type_name = f".{_PACKAGE}.{one}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Graph"))


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """A node.

    Attributes:
      name: its name.
      op: its op, such as "Conv2D".
      inputs: the nodes that it reads, without the control inputs.
      attributes: the values of its attributes.
    """

    name: str
    op: str
    inputs: Sequence[str]
    attributes: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """A frozen graph.

    Attributes:
      nodes: its nodes by name, in the order of the file.
    """

    nodes: Mapping[str, Node]

    def source(self, name: str) -> Node | None:
        """Returns the node behind Identity nodes; None if the graph does not have it."""
        for _ in self.nodes:
            node = self.nodes.get(name)
            if node is None or node.op != "Identity" or not node.inputs:
                return node
            name = node.inputs[0]
        return None

    def constant(self, name: str) -> np.ndarray | None:
        """Returns the value of a float32 constant, also behind Identity nodes; None for others."""
        node = self.source(name)
        if node is None or node.op != "Const" or "value" not in node.attributes:
            return None
        tensor = node.attributes["value"].tensor
        if tensor.dtype != _FLOAT32:
            return None
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        size = math.prod(shape)
        if min(shape, default=0) < 0:
            return None
        if tensor.tensor_content or not tensor.float_val:
            content = tensor.tensor_content or bytes(4 * size)
            return (
                np.frombuffer(content, "<f4").reshape(shape) if len(content) == 4 * size else None
            )
        # The last of fewer values stands for the rest.
        values = np.array(tensor.float_val[:size], np.float32)
        return np.pad(values, (0, size - values.size), "edge").reshape(shape)


def parse(content: bytes, name: str) -> Graph:
    """Parses a binary GraphDef.

    Args:
      content: the file.
      name: its name for messages.

    Raises:
      cli.UserError: it is none.
    """
    try:
        parsed = _message_class().FromString(content)
    except message.DecodeError as error:
        raise cli.UserError(
            f"{name}: not a serialized GraphDef ({error}); it may be truncated, get it again."
        ) from error
    return Graph(
        {
            node.name: Node(
                name=node.name,
                op=node.op,
                inputs=[
                    array.partition(":")[0] for array in node.input if not array.startswith("^")
                ],
                attributes={entry.key: entry.value for entry in node.attr},
            )
            for node in parsed.node
        }
    )
