"""Folds the batch norms of an inference graph into a multiplication and an addition.

The MLIR converter would compute their constants with a reciprocal square root, whose last bit
depends on the CPU's maker. A square root and a division are rounded alike on all CPUs. So are the
models of a CPU's bits in `folds`.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from reproducible_tflite.lib.rounding import folds

_OPS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_PARAMETERS = ("scale", "offset", "mean", "variance")
_CHANNELS_LAST = (b"NHWC", b"NDHWC")

# Computes factor and addend of gamma, beta, mean, variance, float32 [channels], and epsilon.
Constants = Callable[..., tuple[np.ndarray, np.ndarray]]


class _Left(Exception):
    """A batch norm that cannot be folded; the text says why."""


def _output(tensor: str) -> tuple[str, str]:
    """Returns a tensor's node and output: `n` and `n:0` in a graph, `n:y:0` in a function."""
    node, _, output = tensor.removesuffix(":0").partition(":")
    return node, output


def _controls(node: Any) -> list[str]:
    """Returns a node's control inputs, which come after the others."""
    return [name for name in node.input if name.startswith("^")]


def _attribute(node: Any, name: str, field: str, default: Any) -> Any:
    """Returns an attribute; canonical graphs leave out those with default values."""
    return getattr(node.attr[name], field) if name in node.attr else default


class _Body:
    """The nodes of a graph, or of a function in its library."""

    def __init__(
        self,
        nodes: Sequence[Any],
        fed: Collection[str],
        read: Collection[str],
        is_function: bool,
    ) -> None:
        """Indexes the nodes.

        Args:
          nodes: NodeDefs.
          fed: tensors whose values come from outside.
          read: tensors that are read outside.
          is_function: whether tensors are named as in a function.
        """
        self._is_function = is_function
        self._nodes = {node.name: node for node in nodes}
        self._names = set(self._nodes)
        self._fed = {_output(tensor)[0] for tensor in fed}
        tensors = {tensor for node in nodes for tensor in node.input}.union(fed, read)
        outputs = map(_output, tensors)
        self._several = {name for name, output in outputs if output not in ("", "y")}

    def _tensor(self, node: Any, output: str) -> str:
        """Returns the name of a node's only output, which its op calls `output`."""
        return f"{node.name}:{output}:0" if self._is_function else node.name

    def _unused(self, name: str) -> str:
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name

    def _constant(self, tensor: str, what: str) -> tuple[np.ndarray, list[str]]:
        """Returns a parameter's values, float32 [channels], and the control inputs on the way."""
        import tensorflow as tf

        name, controls = tensor, []
        for _ in self._nodes:
            name, output = _output(name)
            node = self._nodes.get(name)
            if node is None or name in self._fed or output not in ("", "output"):
                break
            controls += _controls(node)
            if node.op == "Const":
                try:
                    values = tf.make_ndarray(_attribute(node, "value", "tensor", None))
                except (AttributeError, TypeError, ValueError, MemoryError) as error:
                    raise _Left(f"its {what}, {tensor}, cannot be read") from error
                if values.dtype != np.float32 or values.ndim != 1:
                    raise _Left(f"its {what}, {tensor}, is not a list of float32")
                return values, controls
            if node.op != "Identity" or not node.input:
                break
            name = node.input[0]
        raise _Left(f"its {what}, {tensor}, is not a constant")

    def replacement(self, node: Any, compute: Constants) -> list[Any]:
        """Returns the nodes that stand for a batch norm, in order; the last one has its name.

        Args:
          node: the batch norm.
          compute: computes the constants.

        Raises:
          _Left: the batch norm cannot be folded.
        """
        import tensorflow as tf

        if _attribute(node, "is_training", "b", True):
            raise _Left("it is in training mode")
        if _attribute(node, "data_format", "s", b"NHWC") not in _CHANNELS_LAST:
            raise _Left("its channels are not the last dimension")
        if _attribute(node, "T", "type", None) != tf.float32.as_datatype_enum:
            raise _Left("it does not compute in float32")
        if node.name in self._several:
            raise _Left("more than its first output is used")
        ends = _controls(node)
        inputs = node.input[: len(node.input) - len(ends)]
        if len(inputs) != 1 + len(_PARAMETERS):
            raise _Left(f"it has {len(inputs)} inputs")
        constants = [self._constant(*pair) for pair in zip(inputs[1:], _PARAMETERS, strict=True)]
        if len({values.shape for values, _ in constants}) != 1:
            raise _Left("its parameters have different lengths")
        parameters = (values for values, _ in constants)
        scale, offset = compute(*parameters, _attribute(node, "epsilon", "f", 1e-4))
        if not np.isfinite([scale, offset]).all():
            raise _Left("its parameters give numbers that are not finite")

        def new(op: str, name: str, inputs: Sequence[str]) -> Any:
            made = type(node)(op=op, name=name, input=inputs)
            made.attr["dtype" if op == "Const" else "T"].type = tf.float32.as_datatype_enum
            return made

        # They tie constants to the loop that they are in.
        controls = list(dict.fromkeys(name for _, names in constants for name in names))
        folded = []
        for what, values in (("scale", scale), ("offset", offset)):
            constant = new("Const", self._unused(f"{node.name}/folded_{what}"), controls)
            constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
            folded.append(constant)
        factor, addend = (self._tensor(constant, "output") for constant in folded)
        scaled = new("Mul", self._unused(f"{node.name}/scaled"), [inputs[0], factor, *ends])
        shifted = new("AddV2", node.name, [self._tensor(scaled, "z"), addend])
        return [*folded, scaled, shifted]


def _fold(
    nodes: Any, body: _Body, where: str, note: Callable[[str], None], compute: Constants
) -> list[str]:
    """Replaces the batch norms among a body's nodes, in place; returns their names."""
    kept, folded = [], []
    for node in nodes:
        replacement = [node]
        if node.op in _OPS:
            try:
                replacement = body.replacement(node, compute)
                folded.append(node.name)
            except _Left as reason:
                note(f"{where}{node.name}: the batch norm is left to the converter: {reason}.")
        kept += replacement
    if folded:
        del nodes[:]
        nodes.extend(kept)
    return folded


def fold(
    graph_def: Any,
    inputs: Collection[str],
    outputs: Collection[str],
    note: Callable[[str], None],
    compute: Constants = folds.exact_constants,
) -> None:
    """Replaces fused batch norms, in place, also in the functions of the graph's library.

    Args:
      graph_def: a frozen inference graph.
      inputs: the tensors that are fed.
      outputs: the tensors that are read.
      note: takes a sentence for every batch norm that stays as it is.
      compute: computes the constants.
    """
    body = _Body(graph_def.node, inputs, outputs, is_function=False)
    _fold(graph_def.node, body, "", note, compute)
    for function in graph_def.library.function:
        nodes = function.node_def
        body = _Body(nodes, (), function.ret.values(), is_function=True)
        folded = _fold(nodes, body, function.signature.name + "/", note, compute)
        # The output `y` of a batch norm is the output `z` of an addition.
        names = {f"{name}:y{end}": f"{name}:z:0" for name in folded for end in ("", ":0")}
        for node in nodes:
            if not names.keys().isdisjoint(node.input):
                node.input[:] = [names.get(tensor, tensor) for tensor in node.input]
        for result, tensor in list(function.ret.items()):
            function.ret[result] = names.get(tensor, tensor)
