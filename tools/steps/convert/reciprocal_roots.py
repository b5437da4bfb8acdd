"""Computes the reciprocal square roots of constants, as in batch norms of several ops.

The MLIR converter would compute them with an instruction whose last bit depends on the CPU's maker.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from reproducible_tflite.lib.rounding import folds

_SUMS = ("Add", "AddV2")


def fold(graph_def: Any, rsqrt: Callable[[np.ndarray], np.ndarray] = folds.exact_root) -> None:
    """Replaces every Rsqrt of float32 constants by its value, in place.

    Args:
      graph_def: a frozen graph. Constants may have passed Identity nodes, and epsilon may have been
        added to them.
      rsqrt: computes a reciprocal square root.
    """
    import tensorflow as tf

    nodes = {node.name: node for node in graph_def.node}

    def constant(name: str) -> np.ndarray | None:
        """Returns a tensor's value if nothing but constants decides it."""
        node = nodes.get(name.removesuffix(":0"))
        if node is None:
            return None
        if node.op == "Const":
            return tf.make_ndarray(node.attr["value"].tensor)
        if node.op == "Identity":
            return constant(node.input[0])
        if node.op in _SUMS:
            terms = [constant(term) for term in node.input[:2]]
            return None if any(term is None for term in terms) else terms[0] + terms[1]
        return None

    for node in graph_def.node:
        value = constant(node.input[0]) if node.op == "Rsqrt" else None
        if value is None or value.dtype != np.float32:
            continue
        folded = type(node)(op="Const", name=node.name)
        folded.attr["dtype"].type = tf.float32.as_datatype_enum
        folded.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(rsqrt(value)))
        node.CopyFrom(folded)
