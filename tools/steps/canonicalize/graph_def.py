"""The canonical bytes of a frozen GraphDef.

`SerializeToString()` writes maps in an order that differs from run to run, so every export differs.
The canonical form fixes that order. It also drops attributes with their default values, which
readers fill in again. So a GraphDef does not depend on the TensorFlow that wrote it, and older
versions, which do not know newer attributes, can read it.
"""

import heapq

from google.protobuf import unknown_fields
from google.protobuf.message import DecodeError
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework import meta_graph

from reproducible_tflite.lib.cli import cli

# The operator at a loop's end; only edges from it may lead backwards.
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
            f"{source}: not a GraphDef: it has other fields; give a frozen graph, not a SavedModel."
        )
    if not graph.node:
        raise cli.UserError(f"{source}: the GraphDef has no nodes; export the graph again.")
    return graph


def _topological_order(graph: graph_pb2.GraphDef, source: str) -> list[int]:
    """Returns positions of nodes so that inputs come first; keeps an order that is already valid.

    Raises:
      cli.UserError: two nodes share a name, an input does not exist, or nodes form a cycle.
    """
    position = {node.name: index for index, node in enumerate(graph.node)}
    if len(position) != len(graph.node):
        raise cli.UserError(f"{source}: two nodes share a name; export the graph again.")
    readers: list[list[int]] = [[] for _ in graph.node]
    missing = [0] * len(graph.node)
    for index, node in enumerate(graph.node):
        # An input is "node", "node:output", or "^node" for a control dependency.
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
    """Returns the canonical form of a GraphDef. The function is idempotent.

    It keeps nodes, names, inputs, devices, attributes other than defaults, functions and versions
    (which readers depend on). It drops attributes with their default values, an empty function
    library, and debug information. Nodes keep their order if inputs come first: the order comes
    from the exporter's graph, not from a map, and converters depend on it.

    Args:
      content: the whole file, untrusted.
      source: its name, for messages.

    Raises:
      cli.UserError: the file is not a GraphDef, has no nodes, or has nodes that form no graph.
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
