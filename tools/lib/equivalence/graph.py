"""A frozen graph in TensorFlow, computed in pieces.

Any of its arrays can be given from outside. What reads such an array gets the given values, and
what computes it can still be asked for.
"""

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import reproducible_tflite.lib.tensorflow_parts.deferred  # noqa: F401

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import session
from tensorflow.python.framework import (
    dtypes,
    errors_impl,
    importer,
    ops,
    tensor_util,
    versions,
)
from tensorflow.python.framework.tensor_shape import TensorShape

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.graph_ends.graph_ends import array_of, node_of

# It reads the boxes and the scores of all anchors, and then the anchors, which are constant.
_POST_PROCESS, _POST_PROCESSED = "TFLite_Detection_PostProcess", 2
_ARG_MAX = "ArgMax"
_MOVES = ("Cast", "ExpandDims", "Identity", "Reshape", "Squeeze")
_LOOP = "NextIteration"
# Constants of so many bytes are no part of what TensorFlow imports, but given when it computes.
_LARGE = 1 << 10


@dataclasses.dataclass(frozen=True)
class Array:
    """An array of real numbers that depends on a graph's inputs.

    Attributes:
      shape: its sizes; None if they are known only when the graph runs.
      op: what computes it, such as "Conv2D".
      reads: the arrays that its node reads.
    """

    shape: tuple[int, ...] | None
    op: str
    reads: tuple[str, ...]


def _tensor(array: str) -> str:
    return array if ":" in array else array + ":0"


def _without_constants(
    graph_def: graph_pb2.GraphDef,
) -> tuple[graph_pb2.GraphDef, dict[str, np.ndarray]]:
    """Returns a graph with placeholders instead of its large constants, and their values."""
    light = graph_pb2.GraphDef(versions=graph_def.versions, library=graph_def.library)
    constants = {}
    for node in graph_def.node:
        copied = light.node.add()
        if node.op != "Const" or node.ByteSize() < _LARGE:
            copied.CopyFrom(node)
            continue
        value = node.attr["value"].tensor
        constants[node.name] = tensor_util.MakeNdarray(value)
        copied.name, copied.op = node.name, "Placeholder"
        copied.attr["dtype"].type = value.dtype
        copied.attr["shape"].shape.CopyFrom(value.tensor_shape)
    return light, constants


@contextlib.contextmanager
def _errors(source: str) -> Iterator[None]:
    """Turns what TensorFlow raises into a `cli.UserError`."""
    try:
        yield
    except (errors_impl.OpError, KeyError, TypeError, ValueError) as error:
        raise cli.UserError(
            f"{source}: TensorFlow {versions.VERSION} cannot compute the graph:"
            f" {cli.first_line(error)}; give the source of this model."
        ) from error


class Pieces:
    """A graph in which given arrays take the place of what computes them."""

    def __init__(
        self,
        graph_def: graph_pb2.GraphDef,
        source: str,
        given: Mapping[str, tuple[dtypes.DType, TensorShape]],
        wanted: Sequence[str],
        constants: Mapping[str, np.ndarray],
    ) -> None:
        """Imports the part of a graph that computes the wanted arrays from given ones.

        Args:
          graph_def: the graph.
          source: its file, for messages.
          given: the type and the shape of given arrays.
          wanted: the wanted arrays.
          constants: the values of placeholders that stand for constants.
        """
        self._source = source
        self._constants = constants
        self._names = {array: f"given_{number}" for number, array in enumerate(given)}
        cut = graph_pb2.GraphDef(versions=graph_def.versions, library=graph_def.library)
        for array, (kind, shape) in given.items():
            placeholder = cut.node.add(name=self._names[array], op="Placeholder")
            placeholder.attr["dtype"].type = kind.as_datatype_enum
            placeholder.attr["shape"].shape.CopyFrom(shape.as_proto())
        self._reads = {
            node.name: [self._names.get(array_of(name), name) for name in node.input]
            for node in graph_def.node
        }
        kept = self._before(wanted)
        for node in graph_def.node:
            if node.name in kept:
                copied = cut.node.add()
                copied.CopyFrom(node)
                copied.input[:] = self._reads[node.name]
                # Nodes next to which it was to run need not be there any more.
                copied.attr.pop("_class", None)
        self._session: Any = None
        with ops.Graph().as_default() as self.graph, _errors(source):
            importer.import_graph_def(cut, name="")

    def _before(self, arrays: Sequence[str]) -> set[str]:
        """Returns the names of the nodes that compute arrays."""
        seen: set[str] = set()
        pending = list(map(node_of, arrays))
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                pending += map(node_of, self._reads.get(name, ()))
        return seen

    def needed(self, wanted: Sequence[str]) -> list[str]:
        """Returns the given arrays on which others depend."""
        seen = self._before(wanted)
        return [array for array, name in self._names.items() if name in seen]

    def run(self, values: Mapping[str, np.ndarray], wanted: Sequence[str]) -> list[np.ndarray]:
        """Computes arrays from given ones; those that are not needed may be missing.

        Raises:
          cli.UserError: TensorFlow cannot compute them.
        """
        if self._session is None:
            options = config_pb2.ConfigProto(
                intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
            )
            # What it rewrites need not be in the graph any more; each piece is computed once.
            options.graph_options.rewrite_options.disable_meta_optimizer = True
            options.graph_options.optimizer_options.opt_level = config_pb2.OptimizerOptions.L0
            self._session = session.Session(graph=self.graph, config=options)
        fed = {_tensor(self._names[array]): value for array, value in values.items()}
        for name in self._before(wanted) & self._constants.keys():
            fed[_tensor(name)] = self._constants[name]
        with _errors(self._source):
            return self._session.run([_tensor(array) for array in wanted], fed)


class Graph:
    """A frozen graph."""

    def __init__(
        self,
        content: bytes,
        source: str,
        inputs: Mapping[str, Sequence[int]],
        outputs: Sequence[str],
    ) -> None:
        """Reads a graph.

        Args:
          content: a serialized GraphDef whose nodes come after what they read.
          source: its file, for messages.
          inputs: the shape of every input, by its array.
          outputs: the arrays of the outputs.

        Raises:
          cli.UserError: it cannot be read, lacks an array, or TensorFlow cannot compute it.
        """
        self._source = source
        try:
            read = graph_pb2.GraphDef.FromString(content)
        except DecodeError as error:
            raise cli.UserError(
                f"{source}: not a serialized GraphDef; it may be truncated, get it again."
            ) from error
        with _errors(source):
            self._graph_def, self._constants = _without_constants(read)
        self._nodes = {node.name: node for node in self._graph_def.node}
        for array in (*inputs, *outputs):
            if node_of(array) not in self._nodes:
                raise cli.UserError(
                    f"{source}: the graph has no {array!r}; give the source of this model."
                )
        self._ends = [end for output in outputs for end in self._before(output)]
        placeholders = self._pieces({}, list(inputs)).graph
        self._given = {
            array: (placeholders.get_tensor_by_name(_tensor(array)).dtype, TensorShape(shape))
            for array, shape in inputs.items()
        }
        self._whole = self._pieces(self._given, self._ends).graph

    def _pieces(self, given: Mapping[str, Any], wanted: Sequence[str]) -> Pieces:
        return Pieces(self._graph_def, self._source, given, wanted, self._constants)

    def resized(self, inputs: Mapping[str, Sequence[int]]) -> "Graph":
        """Returns the graph for inputs of other shapes.

        Args:
          inputs: the shape of every input, by its array.

        Raises:
          cli.UserError: TensorFlow cannot compute it.
        """
        resized = copy.copy(self)
        resized._given = {
            array: (self._given[array][0], TensorShape(shape)) for array, shape in inputs.items()
        }
        resized._whole = resized._pieces(resized._given, self._ends).graph
        return resized

    def _before(self, output: str) -> list[str]:
        """Returns what to compare in the place of an output; of post-processing, once for all."""
        node = self._nodes[node_of(output)]
        if node.op == _POST_PROCESS:
            read = [] if ":" in output else node.input[:_POST_PROCESSED]
            return [array_of(name) for name in read]
        while node.op in _MOVES:
            node = self._nodes[node_of(node.input[0])]
        return [array_of(node.input[0])] if node.op == _ARG_MAX else [output]

    def ends(self) -> list[str]:
        """Returns the arrays to compare: the outputs, or what post-processing or ArgMax reads."""
        return self._ends

    def arrays(self) -> dict[str, Array]:
        """Returns the real arrays that depend on inputs, by name in the order of the graph.

        There is none if the graph has a loop, whose arrays belong to one of its turns.
        """
        found: dict[str, Array] = {}
        if any(node.op == _LOOP for node in self._graph_def.node):
            return found
        kept = {operation.name for operation in self._whole.get_operations()}
        dependent = set(map(node_of, self._given))
        for node in self._graph_def.node:
            if node.name not in kept or not dependent & set(map(node_of, node.input)):
                continue
            dependent.add(node.name)
            reads = tuple(map(array_of, node.input))
            for tensor in self._whole.get_operation_by_name(node.name).outputs:
                if tensor.dtype.is_floating:
                    known = tensor.shape.is_fully_defined()
                    shape = tuple(tensor.shape.as_list()) if known else None
                    found[array_of(tensor.name)] = Array(shape, node.op, reads)
        return found

    def pieces(self, given: Sequence[str], wanted: Sequence[str]) -> Pieces:
        """Returns the graph in which given arrays, all inputs among them, are cut off."""
        known = dict(self._given)
        for array in given:
            if array not in known:
                tensor = self._whole.get_tensor_by_name(_tensor(array))
                known[array] = (tensor.dtype, tensor.shape)
        return self._pieces(known, wanted)
