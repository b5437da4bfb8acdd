"""The inputs and outputs of a frozen graph, derived from its nodes."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.graph_ends import graph_ends
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.freeze import frozen


class Ends:
    """The ends of one graph."""

    def __init__(self, graph_def: Any, source: str) -> None:
        """Indexes the nodes.

        Args:
          graph_def: a graph whose nodes come after their inputs.
          source: its file, for messages.
        """
        self._parts = graph_ends.Graph(graph_def)
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
            defined = not graph_ends.is_custom(node) or node.op in functions
            # A loop's first node reads its last one.
            if defined and (
                names.issuperset(map(graph_ends.node_of, node.input)) or node.op == "Merge"
            ):
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

    def outputs(self, stated: Sequence[str]) -> list[str]:
        """Returns the output arrays: those that are stated, else the only one at the graph's end.

        Raises:
          cli.UserError: the graph lacks a stated one, or it is not clear which they are.
        """
        if stated:
            self._check("output_arrays", stated)
            return [name.removesuffix(":0") for name in stated]
        arrays = self._parts.open_ends(self._parts.placeholders)
        last = set(map(graph_ends.node_of, arrays))
        custom = len(last) == 1 and graph_ends.is_custom(self._parts.nodes[last.pop()])
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
        reached = self._parts.reached(outputs, stated)
        needed = [name for name in self._parts.placeholders if name in reached]
        if not stated:
            if not needed:
                raise cli.UserError(
                    f"{self._source}: the outputs {', '.join(outputs)} depend on no placeholder;"
                    " give input_arrays and output_arrays."
                )
            return needed
        missing = set(needed) - set(map(graph_ends.node_of, stated))
        if missing:
            raise cli.UserError(
                f"{self._source}: input_arrays lacks {', '.join(sorted(missing))}, on which the"
                " outputs depend; give it too."
            )
        return [name.removesuffix(":0") for name in stated]

    def _check(self, attribute: str, arrays: Sequence[str]) -> None:
        for array in arrays:
            if graph_ends.node_of(array) not in self._parts.nodes:
                similar = ", ".join(self._parts.similar(array))
                hint = f", similar are {similar}" if similar else ""
                raise cli.UserError(
                    f"{self._source}: the graph has no {array!r}{hint}; correct {attribute}."
                )

    def end(self, array: str) -> signature.End:
        """Returns an array as an input or output of a signature."""
        name, _, index = array.partition(":")
        try:
            return frozen.end(array, self._graph.get_tensor_by_name(f"{name}:{index or 0}"))
        except KeyError:
            types = dict(enumerate(graph_ends.output_types(self._parts.nodes[name])))
            return signature.End(array, array, types.get(int(index or 0)) or "float32", None)
