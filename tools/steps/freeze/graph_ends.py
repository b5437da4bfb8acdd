"""The inputs and outputs of a frozen graph, derived from its nodes."""

import difflib
from collections.abc import Collection, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.freeze import frozen

# Nodes without outputs, which leave no values.
_WITHOUT_OUTPUTS = ("Assert", "NoOp")
# Only their first output is for inference.
_FIRST_OUTPUT_ONLY = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
# Where ops that TensorFlow does not define, such as TFLite_Detection_PostProcess, state outputs.
_CUSTOM_OUTPUT_TYPES = "_output_types"


def _node(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _custom_types(node: Any) -> Sequence[int]:
    """Returns the types of the outputs that a custom op states."""
    # Reading an attribute that is not there would add it.
    if _CUSTOM_OUTPUT_TYPES not in node.attr:
        return ()
    return node.attr[_CUSTOM_OUTPUT_TYPES].list.type


class Ends:
    """The ends of one graph."""

    def __init__(self, graph_def: Any, source: str) -> None:
        """Indexes the nodes.

        Args:
          graph_def: a graph whose nodes come after their inputs.
          source: its file, for messages.
        """
        self._nodes = {node.name: node for node in graph_def.node}
        self._source = source
        self._graph = self._imported(graph_def)

    def _imported(self, graph_def: Any) -> tf.Graph:
        """Returns the graph without the ops that TensorFlow does not know, and what reads them."""
        known = type(graph_def)()
        known.CopyFrom(graph_def)
        del known.node[:]
        functions = {function.signature.name for function in graph_def.library.function}
        names = set()
        for node in graph_def.node:
            defined = op_def_registry.get(node.op) is not None or node.op in functions
            # A loop's first node reads its last one.
            if defined and (names.issuperset(map(_node, node.input)) or node.op == "Merge"):
                known.node.append(node)
                names.add(node.name)
        with tf.Graph().as_default() as graph:
            try:
                tf.graph_util.import_graph_def(known, name="")
            except (ValueError, tf.errors.OpError) as error:
                raise cli.UserError(
                    f"{self._source}: TensorFlow {tf.__version__} refuses the graph:"
                    f" {cli.first_line(error)}; export it again."
                ) from error
        return graph

    def _outputs_of(self, name: str) -> list[str]:
        """Returns the arrays of a node."""
        node = self._nodes[name]
        if node.op in _FIRST_OUTPUT_ONLY:
            return [name]
        count = len(_custom_types(node)) or 1
        if op_def_registry.get(node.op) is not None:
            count = len(self._graph.get_operation_by_name(name).outputs)
        return [name] + [f"{name}:{index}" for index in range(1, count)]

    def _reached(self, inputs: Collection[str], outputs: Collection[str]) -> set[str]:
        """Returns the nodes that outputs are computed from, back to the inputs.

        Args:
          inputs: nodes that are fed.
          outputs: nodes.
        """
        reached, pending = set(), list(outputs)
        while pending:
            name = pending.pop()
            if name in reached:
                continue
            reached.add(name)
            if name not in inputs:
                pending += map(_node, self._nodes[name].input)
        return reached

    def _depends(self) -> set[str]:
        """Returns the nodes that a placeholder decides."""
        depending: set[str] = set()
        for name, node in self._nodes.items():
            if node.op == "Placeholder" or any(
                tensor in depending for tensor in map(_node, node.input)
            ):
                depending.add(name)
        return depending

    def outputs(self, stated: Sequence[str]) -> list[str]:
        """Returns the output arrays: those that are stated, else the only one at the graph's end.

        Raises:
          cli.UserError: the graph lacks a stated one, or it is not clear which they are.
        """
        if stated:
            self._check("output_arrays", stated)
            return [name.removesuffix(":0") for name in stated]
        read = {
            _node(tensor)
            for node in self._nodes.values()
            for tensor in node.input
            if not tensor.startswith("^")
        }
        depending = self._depends()
        last = [
            name
            for name, node in self._nodes.items()
            if name in depending - read and node.op not in ("Placeholder", *_WITHOUT_OUTPUTS)
        ]
        arrays = [array for name in last for array in self._outputs_of(name)]
        custom = len(last) == 1 and op_def_registry.get(self._nodes[last[0]].op) is None
        if len(arrays) != 1 and not custom:
            found = f"several may be: {', '.join(arrays)}" if arrays else "no node is at its end"
            raise cli.UserError(
                f"{self._source}: it is not clear which arrays are the outputs, {found}; give"
                " output_arrays."
            )
        return arrays

    def inputs(self, stated: Sequence[str], outputs: Sequence[str]) -> list[str]:
        """Returns the input arrays: those that are stated, else the placeholders, in order.

        Args:
          stated: the arrays that are stated.
          outputs: what `outputs` returned.

        Raises:
          cli.UserError: the graph lacks a stated one, needs others besides, or has no input.
        """
        self._check("input_arrays", stated)
        reached = self._reached(set(map(_node, stated)), set(map(_node, outputs)))
        needed = [
            name
            for name, node in self._nodes.items()
            if name in reached and node.op == "Placeholder"
        ]
        if not stated:
            if not needed:
                raise cli.UserError(
                    f"{self._source}: the outputs {', '.join(outputs)} depend on no placeholder;"
                    " give input_arrays and output_arrays."
                )
            return needed
        missing = set(needed) - set(map(_node, stated))
        if missing:
            raise cli.UserError(
                f"{self._source}: input_arrays lacks {', '.join(sorted(missing))}, on which the"
                " outputs depend; give it too."
            )
        return [name.removesuffix(":0") for name in stated]

    def _check(self, attribute: str, arrays: Sequence[str]) -> None:
        for array in arrays:
            if _node(array) not in self._nodes:
                similar = difflib.get_close_matches(array, self._nodes, n=3)
                hint = f", similar are {', '.join(similar)}" if similar else ""
                raise cli.UserError(
                    f"{self._source}: the graph has no {array!r}{hint}; correct {attribute}."
                )

    def end(self, array: str) -> signature.End:
        """Returns an array as an input or output of a signature."""
        name, _, index = array.partition(":")
        try:
            return frozen.end(array, self._graph.get_tensor_by_name(f"{name}:{index or 0}"))
        except KeyError:
            types = _custom_types(self._nodes[name])
            number = int(index or 0)
            kind = tf.as_dtype(types[number]) if number < len(types) else tf.float32
            return signature.End(array, array, kind.name, None)
