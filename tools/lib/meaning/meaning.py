"""Digests of what a model computes, independent of names, numbers and layout.

An operator's digest covers its name, its options and the digests of the values that it reads; a
value's digest covers the operator that computes it, or its data. So two models compute the same in
the same way if and only if the digests of their outputs and of all their operators are equal.
Operators with effects, and tensors with more than one value in a run, are distinguished by their
order among themselves, which only the file states (tools/lib/tflite_file/operators.py).
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reproducible_tflite.lib.tflite_file import flexbuffer, mapped, operators
from reproducible_tflite.lib.tflite_file.model import Model, Operator, Subgraph
from reproducible_tflite.lib.tflite_file.references import is_subgraph_field
from reproducible_tflite.lib.tflite_file.schema import tflite

_WITHOUT_OPERAND = -1
# The only builtin option that is a FlexBuffer, whose keys may be in any order.
_FLEXBUFFER_OPTION = "composite_attributes"
TYPES = "types of values, or bytes of keys"
# The parameters of blockwise and multi-axis quantization that refer to constants by number.
_TENSORS_IN_DETAILS = ("scales", "zero_points")


def _encoded(value: Any) -> Iterator[bytes]:
    """Yields the parts of an injective encoding: different values have different encodings."""
    if isinstance(value, np.ndarray):
        yield f"a{value.dtype.str}{value.shape}:".encode()
        yield from mapped.parts(value)
    elif isinstance(value, Mapping):
        yield b"m%d:" % len(value)
        for key in sorted(value):
            yield from _encoded(key)
            yield from _encoded(value[key])
    elif isinstance(value, (list, tuple)):
        yield b"l%d:" % len(value)
        for item in value:
            yield from _encoded(item)
    elif isinstance(value, bytes):
        yield b"b%d:" % len(value) + value
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogateescape")
        yield b"s%d:" % len(text) + text
    elif isinstance(value, float):
        # By its bits, so that NaN equals itself and the sign of zero counts.
        yield b"f" + struct.pack("<d", value)
    else:
        yield f"{type(value).__name__}{value!r};".encode()


def digest(*values: Any) -> bytes:
    """Returns a SHA-256 digest of values: numbers, strings, bytes, arrays, lists and dicts."""
    state = hashlib.sha256()
    for part in _encoded(values):
        state.update(part)
    return state.digest()


def options(operator: Operator) -> Any:
    """Returns the builtin options' type and fields; None if there are no fields."""
    if not operator.options:
        return None
    fields = dict(operator.options)
    attributes = fields.get(_FLEXBUFFER_OPTION)
    format_ = fields.get(f"{_FLEXBUFFER_OPTION}_format")
    if isinstance(attributes, np.ndarray) and format_ == tflite.CustomOptionsFormat.FLEXBUFFERS:
        fields[_FLEXBUFFER_OPTION] = flexbuffer.canonical_bytes(attributes.tobytes())
    return operator.options_type, fields


def numbers(option: Any) -> list[int]:
    """Returns the numbers in an option that is one number, an array of them, or None."""
    return [] if option is None else np.atleast_1d(option).tolist()


def custom_options(operator: Operator) -> Any:
    """Returns the custom options: decoded if they are a FlexBuffer, else with their format.

    A FlexBuffer has a digest besides, since its decoded values lack their types.
    """
    if not operator.custom_options.size:
        return None
    decoded = operator.decoded_custom_options
    if decoded is None:
        return {"format": operator.custom_options_format, "bytes": operator.custom_options}
    typed = flexbuffer.typed_text(operator.custom_options.tobytes())
    return {"flexbuffer": decoded, TYPES: digest(typed).hex()}


def _first_places(numbered: Iterable[tuple[int, int]]) -> dict[int, int]:
    places: dict[int, int] = {}
    for place, index in numbered:
        places.setdefault(index, place)
    return places


class Graph:
    """A subgraph with digests of what it computes.

    Attributes:
      graph: the subgraph.
      operators: the digest of every operator, by its index.
      skeletons: likewise, of the names of operators alone and of how their values meet.
      pinned: the indices of the operators that must keep their order, in that order.
      order: the operators' indices, in an order that does not depend on the file's. Those that
        nothing needs are ordered by their names first, so that a change of one moves no other.
      producer: by tensor, the operator that writes it and the number of that output; tensors with
        several values are left out.
      positions: the places of tensors among the inputs, and among the outputs.
      input_ranks: the numbers under which the inputs are compared; at first their own places.
      summary: the digest of the subgraph.
    """

    def __init__(
        self,
        graph: Subgraph,
        buffers: Mapping[int, bytes],
        summaries: Mapping[int, bytes],
        input_ranks: Sequence[int] | None = None,
    ) -> None:
        self.graph = graph
        self.input_ranks = tuple(range(len(graph.inputs)) if input_ranks is None else input_ranks)
        self._buffers = buffers
        self._summaries = summaries
        self._attributes: dict[int, bytes] = {}
        self._structures: dict[int, bytes] = {}
        self._locals: dict[int, bytes] = {}
        nodes = [
            operators.Operator(
                inputs=[index for index in operator.inputs if index >= 0],
                outputs=[index for index in operator.outputs if index >= 0],
                pinned=operator.builtin in operators.PINNED,
                key=None,
            )
            for operator in graph.operators
        ]
        variables = {tensor.index for tensor in graph.tensors if tensor.is_variable}
        self._state = operators.state_tensors(nodes, graph.inputs) | variables
        self._ranks: dict[int, int] = {}
        ranked = list(zip(self.input_ranks, graph.inputs, strict=True))
        self._values = {index: digest("input", n, self.attributes(index)) for n, index in ranked}
        self._given = dict(self._values)
        self._skeleton_values = {index: digest("input", n) for n, index in ranked}
        self.positions = (_first_places(ranked), _first_places(enumerate(graph.outputs)))
        self.producer = {
            tensor: (operator.index, position)
            for operator in graph.operators
            for position, tensor in enumerate(operator.outputs)
            if tensor >= 0 and tensor not in self._state
        }
        self.pinned: list[int] = []
        self.operators = []
        self.skeletons = []
        for operator, node in zip(graph.operators, nodes, strict=True):
            self._operator(operator, node)
        keyed = [
            operators.Operator(node.inputs, node.outputs, node.pinned, self._key(index))
            for index, node in enumerate(nodes)
        ]
        self.order = operators.canonical_order(keyed, graph.inputs, graph.outputs, variables)
        self.summary = digest(
            [self.interface(index) for _, index in sorted(ranked)],
            [(self.value(index), self.interface(index)) for index in graph.outputs],
            sorted(self.operators),
        )

    def with_input_ranks(self, input_ranks: Sequence[int]) -> "Graph":
        """Returns the same subgraph with other numbers for its inputs."""
        return Graph(self.graph, self._buffers, self._summaries, input_ranks)

    def _key(self, index: int) -> Any:
        operator = self.graph.operators[index]
        names = [self.graph.tensors[output].name for output in operator.outputs if output >= 0]
        return names, self.structure(operator), self.operators[index]

    def _operator(self, operator: Operator, node: operators.Operator) -> None:
        touched = [*node.inputs, *node.outputs]
        pinned = node.pinned or not self._state.isdisjoint(touched)
        for tensor in touched:
            if tensor in self._state:
                self._ranks.setdefault(tensor, len(self._ranks))
        ranks = [self._ranks.get(index) for index in operator.outputs]
        place = len(self.pinned) if pinned else None
        values = [self.value(index) for index in operator.inputs]
        self.operators.append(digest(self.structure(operator), values, ranks, place))
        values = [self._skeleton_values.get(index) for index in operator.inputs]
        self.skeletons.append(digest(operator.name, values, ranks, place))
        if pinned:
            self.pinned.append(operator.index)
        for position, tensor in enumerate(operator.outputs):
            if tensor >= 0 and tensor not in self._state:
                self._values[tensor] = digest("output", position, self.operators[-1])
                self._skeleton_values[tensor] = digest("output", position, self.skeletons[-1])

    def summaries_of(self, numbers: Sequence[int]) -> list[bytes]:
        """Returns the digests of subgraphs that this one runs, by their numbers."""
        return [self._summaries.get(number, b"itself") for number in numbers]

    def origin(self, index: int) -> Any:
        """Returns the source of a tensor that no operator writes, or more than one."""
        if index in self._state:
            return ("state", self._ranks.get(index), self._given.get(index))
        if index in self._given:
            return ("input", self.positions[0][index])
        return ("constant",) if self.is_constant(index) else ("nothing",)

    def is_constant(self, index: int) -> bool:
        """Returns whether a tensor's values are in the file."""
        tensor = self.graph.tensors[index]
        return index not in self._values and index not in self._state and tensor.data.size > 0

    def value(self, index: int) -> bytes:
        """Returns the digest of a tensor's value after the operators processed so far."""
        if index == _WITHOUT_OPERAND:
            return b"none"
        if index in self._state:
            rank = self._ranks.setdefault(index, len(self._ranks))
            given = self._given.get(index)
            return digest(
                "state", rank, len(self.pinned), given, self.attributes(index), self.data(index)
            )
        if index in self._values:
            return self._values[index]
        return digest("constant", self.attributes(index), self.data(index))

    def data(self, index: int) -> bytes:
        """Returns the digest of a tensor's bytes."""
        return self._buffers[self.graph.tensors[index].buffer]

    def unused(self) -> list[int]:
        """Returns the tensors that no operator and no caller uses."""
        used = {*self.graph.inputs, *self.graph.outputs}
        for operator in self.graph.operators:
            used.update(operator.inputs, operator.outputs, operator.intermediates)
        return [index for index in range(len(self.graph.tensors)) if index not in used]

    def attributes(self, index: int) -> bytes:
        """Returns the digest of a tensor's properties: type, shape, quantization and so on."""
        if index not in self._attributes:
            tensor = self.graph.tensors[index]
            self._attributes[index] = digest(
                tensor.dtype,
                tensor.shape,
                tensor.is_variable,
                self.quantization(index),
                tensor.sparsity,
                tensor.variants,
                tensor.external,
            )
        return self._attributes[index]

    def interface(self, index: int) -> bytes:
        """Returns the digest of an input or output as a caller sees it."""
        return digest(self.attributes(index), self.graph.tensors[index].shape_signature)

    def quantization(self, index: int) -> Any:
        """Returns the parts of a tensor's quantization that affect the meaning, if any."""
        value = self.graph.tensors[index].quantization
        if value is None or not (value.scale.size or value.details):
            return None
        axis = value.axis if value.scale.size > 1 else 0
        return (value.scale, value.zero_point, axis, self.details(index))

    def details(self, index: int) -> Any:
        """Returns the parameters of another quantization scheme, with digests of tensors."""
        value = self.graph.tensors[index].quantization
        if value is None or value.details is None:
            return None
        details = dict(value.details)
        for name in _TENSORS_IN_DETAILS:
            number = details.get(name, -1)
            if number >= 0:
                tensor = self.graph.tensors[number]
                details[name] = digest(tensor.dtype, tensor.shape, self.data(number)).hex()
        return details

    def structure(self, operator: Operator) -> bytes:
        """Returns the digest of an operator by itself, without its inputs."""
        if operator.index not in self._structures:
            self._structures[operator.index] = digest(
                operator.name,
                operator.builtin,
                self.options(operator),
                custom_options(operator),
                operator.mutated_inputs,
                [self.attributes(index) for index in operator.intermediates if index >= 0],
                [self.attributes(index) for index in operator.outputs if index >= 0],
            )
        return self._structures[operator.index]

    def local(self, operator: Operator) -> bytes:
        """Returns the digest of an operator and its constants, without other inputs."""
        if operator.index not in self._locals:
            self._locals[operator.index] = digest(
                self.structure(operator),
                [
                    self.value(index) if index >= 0 and self.is_constant(index) else index >= 0
                    for index in operator.inputs
                ],
            )
        return self._locals[operator.index]

    def options(self, operator: Operator) -> Any:
        """Returns `options`, with the numbers of subgraphs replaced by their digests."""
        typed_options = options(operator)
        if not typed_options or not operator.subgraphs:
            return typed_options
        return (
            typed_options[0],
            {
                name: self.summaries_of(numbers(value)) if is_subgraph_field(name) else value
                for name, value in typed_options[1].items()
            },
        )


def _callees_first(model: Model) -> Iterator[int]:
    """Yields the numbers of all subgraphs, callees before their callers."""
    entered: set[int] = set()
    for root in range(len(model.subgraphs)):
        pending = [(root, False)]
        while pending:
            index, complete = pending.pop()
            if complete:
                yield index
            elif index not in entered:
                entered.add(index)
                pending.append((index, True))
                called = [n for op in model.subgraphs[index].operators for n in op.subgraphs]
                pending.extend((number, False) for number in dict.fromkeys(called))


def graphs(model: Model) -> list[Graph]:
    """Returns a model's subgraphs with their digests, in the file's order."""
    buffers = {index: digest(data) for index, data in enumerate(model.buffers)}
    summaries: dict[int, bytes] = {}
    by_number: dict[int, Graph] = {}
    for index in _callees_first(model):
        by_number[index] = Graph(model.subgraphs[index], buffers, summaries)
        summaries[index] = by_number[index].summary
    return [by_number[index] for index in range(len(model.subgraphs))]
