"""The canonical bytes of a frozen GraphDef.

`SerializeToString()` writes maps in an order that differs from run to run, which makes every export
differ. Beyond a fixed order of maps, attributes with their default values are stripped, as readers
fill them in again: a GraphDef then does not depend on which TensorFlow wrote them out, and older
ones, that do not know a newer attribute, can read it.
"""

import heapq

from google.protobuf import unknown_fields
from google.protobuf.message import DecodeError
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework import meta_graph

from tools.lib.cli import cli

# The edge into a loop's start from its end: the only one that may lead backwards.
_BACK_EDGE_OPERATOR = "NextIteration"


def _parse(content: bytes, source: str) -> graph_pb2.GraphDef:
    try:
        graph = graph_pb2.GraphDef.FromString(content)
    except DecodeError as error:
        raise cli.UserError(
            f"{source}: not a binary GraphDef, or a truncated one; export the graph again."
        ) from error
    if len(unknown_fields.UnknownFieldSet(graph)):
        raise cli.UserError(
            f"{source}: has fields that a GraphDef has not; give a frozen graph, not a SavedModel."
        )
    if not graph.node:
        raise cli.UserError(f"{source}: the GraphDef has no nodes; export the graph again.")
    return graph


def _topological_order(graph: graph_pb2.GraphDef, source: str) -> list[int]:
    """Positions of nodes such that inputs come first; an order that is already so stays as it is.

    Raises:
      cli.UserError: two nodes share a name, an input does not exist, or nodes form a cycle.
    """
    position = {node.name: index for index, node in enumerate(graph.node)}
    if len(position) != len(graph.node):
        raise cli.UserError(f"{source}: two nodes share a name; export the graph again.")
    readers: list[list[int]] = [[] for _ in graph.node]
    missing = [0] * len(graph.node)
    for index, node in enumerate(graph.node):
        # An input is "node", "node:output", or "^node" for a mere order of execution.
        for name in {text.removeprefix("^").split(":")[0] for text in node.input}:
            if name not in position:
                raise cli.UserError(
                    f"{source}: node {node.name} reads {name}, which the graph does not have; "
                    "it may be truncated, export it again."
                )
            if graph.node[position[name]].op != _BACK_EDGE_OPERATOR:
                readers[position[name]].append(index)
                missing[index] += 1
    ready = [index for index, count in enumerate(missing) if count == 0]
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers[index]:
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, reader)
    if len(order) != len(graph.node):
        name = next(node.name for node, count in zip(graph.node, missing, strict=True) if count)
        raise cli.UserError(f"{source}: node {name} depends on itself; export the graph again.")
    return order


def canonical_bytes(content: bytes, source: str) -> bytes:
    """The canonical form of a GraphDef. Applied to its own result, it changes nothing.

    Kept: nodes, names, inputs, devices, attributes other than defaults, functions and versions (a
    reader decides by them how to read). Dropped: attributes with their default values, an empty
    function library, and debug information. Nodes keep their order as far as inputs come first: it
    comes from the exporter's graph, not from a map, and converters depend on it.

    Args:
      content: the whole file, untrusted.
      source: its name, for messages.

    Raises:
      cli.UserError: it is not a GraphDef, has no nodes, or does not make a graph.
    """
    graph = _parse(content, source)
    order = _topological_order(graph, source)
    wrapper = meta_graph_pb2.MetaGraphDef()
    canonical = wrapper.graph_def
    canonical.CopyFrom(graph)
    del canonical.node[:]
    canonical.node.extend(graph.node[index] for index in order)
    if not canonical.library.ByteSize():
        canonical.ClearField("library")
    canonical.ClearField("debug_info")
    for node in canonical.node:
        node.ClearField("experimental_debug_info")
    meta_graph.strip_graph_default_valued_attrs(wrapper)
    return canonical.SerializeToString(deterministic=True)
