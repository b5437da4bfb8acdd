"""Whether a graph has the ranges of quantization-aware training."""

from typing import Any


def has_ranges(graph_def: Any) -> bool:
    """Returns whether a graph, or a function in its library, has FakeQuant nodes."""
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    return any(node.op.startswith("FakeQuant") for body in bodies for node in body)
