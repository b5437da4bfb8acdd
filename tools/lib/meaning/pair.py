"""Finds the differences between two subgraphs."""

import collections
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.meaning import meaning, tensors
from reproducible_tflite.lib.meaning.difference import Difference
from reproducible_tflite.lib.meaning.meaning import Graph
from reproducible_tflite.lib.meaning.wording import (
    SHOWN_NUMBERS,
    changed,
    inside,
    operand,
    place,
    shown,
)
from reproducible_tflite.lib.tflite_file.model import Operator
from reproducible_tflite.lib.tflite_file.references import is_subgraph_field

_ROLES = ("input", "output")


def _partners(left: Sequence[Any], right: Sequence[Any]) -> list[int | None]:
    """Returns for each left value the place of the same one on the right, each at most once."""
    places = collections.defaultdict(collections.deque)
    for position, value in enumerate(right):
        places[value].append(position)
    return [places[value].popleft() if places[value] else None for value in left]


class Pair:
    """The comparison of two subgraphs.

    Attributes:
      left: the left subgraph.
      right: the right one, with its inputs numbered as on the left.
      operators: the number of the right operator, by that of the left one.
      output_ranks: for each right output, the place of the same output on the left, if any.
    """

    def __init__(
        self,
        left: Graph,
        right: Graph,
        operators: Mapping[int, int],
        partners: Mapping[int, int],
    ) -> None:
        """Pairs the outputs.

        Args:
          left: the left subgraph.
          right: the right subgraph.
          operators: see `alignment.pair_operators`.
          partners: the numbers of the model's left subgraphs, by those of the right ones.
        """
        self.left, self.right = left, right
        self.operators = dict(operators)
        self._partners = partners
        self._differences: list[Difference] = []
        self._tensors: dict[int, int] = {}
        self._seen: set[tuple[int, int]] = set()
        self._inside = inside(left.graph.index)
        outputs = _partners(
            [self._left_source(index) for index in left.graph.outputs],
            [self._right_source(index) for index in right.graph.outputs],
        )
        self._output_order = [place for place in outputs if place is not None]
        self.output_ranks = {j: i for i, j in enumerate(outputs) if j is not None}
        rest = iter([j for j in range(len(right.graph.outputs)) if j not in self.output_ranks])
        self._outputs = [next(rest, None) if j is None else j for j in outputs]

    def _left_source(self, index: int) -> Any:
        """Returns the source of a left tensor in the right subgraph's numbers."""
        if index not in self.left.producer:
            return self.left.value(index)
        operator, output = self.left.producer[index]
        return self.operators.get(operator), output

    def _right_source(self, index: int) -> Any:
        return self.right.producer.get(index) or self.right.value(index)

    def compare(self) -> list[Difference]:
        """Returns the differences, in the order of the left subgraph."""
        a, b = self.left.graph, self.right.graph
        where = f"subgraph {a.index}"
        if a.name != b.name:
            self._add("name", where, a.name, b.name)
        if a.debug_metadata_index != b.debug_metadata_index:
            indices = (a.debug_metadata_index, b.debug_metadata_index)
            self._add("note", where, *indices, "debug_metadata_index")
        places = {rank: place for place, rank in enumerate(self.right.input_ranks)}
        inputs = [places.get(rank) for rank in range(len(a.inputs))]
        self._order("input", [place for place in inputs if place is not None])
        self._interface("input", inputs)
        self._changed_operators()
        for i, j in self.operators.items():
            self._operator(a.operators[i], b.operators[j])
        self._order("output", self._output_order)
        self._interface("output", self._outputs)
        self._effects()
        self._layout(where)
        return self._differences

    def _add(self, kind: str, where: str, left: Any, right: Any, detail: str = "") -> None:
        self._differences.append(Difference(kind, where, left, right, detail))

    def _place(self, operator: Operator) -> str:
        return place(operator, self.left.graph.index)

    def _changed_operators(self) -> None:
        paired = set(self.operators.values())
        for operator in self.left.graph.operators:
            if operator.index not in self.operators:
                written = self._written(self.left, operator)
                self._add("operator removed", self._place(operator), written, None)
        for operator in self.right.graph.operators:
            if operator.index not in paired:
                where = place(operator, self.right.graph.index)
                self._add("operator added", where, None, self._written(self.right, operator))

    def _written(self, graph: Graph, operator: Operator) -> str:
        """Returns the names of the tensors that an operator writes."""
        names = [graph.graph.tensors[index].name for index in operator.outputs if index >= 0]
        return ", ".join(names)

    def _order(self, role: str, places: Sequence[int]) -> None:
        """Compares the order of the inputs or outputs that both have.

        Args:
          role: "input" or "output".
          places: their places on the right, in the order of the left.
        """
        if list(places) == sorted(places):
            return
        numbers = [number for _, number in sorted(zip(places, range(len(places)), strict=True))]
        shown_orders = [", ".join(map(str, order)) for order in (range(len(places)), numbers)]
        self._add(f"{role} order", f"{role}s{self._inside}", *shown_orders)

    def _interface(self, role: str, partners: Sequence[int | None]) -> None:
        left, right = (getattr(graph.graph, f"{role}s") for graph in (self.left, self.right))
        if len(left) != len(right):
            self._add(f"{role}s", f"subgraph {self.left.graph.index}", len(left), len(right))
        for position, (i, partner) in enumerate(zip(left, partners, strict=False)):
            if partner is None:
                continue
            where, j = f"{role} {position}{self._inside}", right[partner]
            if role == "output":
                self._operand(where, i, j)
            self._tensor(where, i, j)

    def _operator(self, a: Operator, b: Operator) -> None:
        where = self._place(a)
        if (a.name, a.builtin) != (b.name, b.builtin):
            self._add("operator changed", where, a.name, b.name)
        self._options(where, a, b)
        for kind, field, detail in (
            ("operator version", "version", ""),
            ("mutated inputs", "mutated_inputs", "mutating_variable_inputs"),
            ("note", "debug_metadata_index", "debug_metadata_index"),
        ):
            values = (getattr(a, field), getattr(b, field))
            if values[0] != values[1]:
                self._add(kind, where, *shown(*values), detail)
        counts = [
            f"{len(part.inputs)} inputs, {len(part.outputs)} outputs, "
            f"{len(part.intermediates)} intermediates"
            for part in (a, b)
        ]
        if counts[0] != counts[1]:
            self._add("operands", where, *counts)
        for slot, (i, j) in enumerate(zip(a.inputs, b.inputs, strict=False)):
            self._operand(f"{where} {operand(a, slot)}", i, j)
        for role, left, right in (
            ("intermediate", a.intermediates, b.intermediates),
            ("output", a.outputs, b.outputs),
        ):
            for slot, (i, j) in enumerate(zip(left, right, strict=False)):
                name = role if len(left) == 1 else f"{role} {slot}"
                if (i < 0) != (j < 0):
                    self._add("operands", f"{where} {name}", i >= 0, j >= 0, "whether there is one")
                elif i >= 0:
                    self._tensor(f"{where} {name}", i, j)

    def _options(self, where: str, a: Operator, b: Operator) -> None:
        pairs = (self.left.options(a), self.right.options(b))
        if a.options_type != b.options_type:
            kind = "options" if pairs[0] or pairs[1] else "empty options"
            self._add(kind, where, a.options_type or None, b.options_type or None)
        elif pairs[0]:
            for name in pairs[0][1]:
                if is_subgraph_field(name):
                    self._called(where, name, a.options[name], b.options[name])
                else:
                    for path, x, y in changed(pairs[0][1][name], pairs[1][1][name], name):
                        self._add("options", where, *shown(x, y), path)
        custom = (meaning.custom_options(a), meaning.custom_options(b))
        rows = list(changed(*custom))
        for path, x, y in [row for row in rows if row[0] != meaning.TYPES] or rows:
            detail = path.removeprefix("flexbuffer.") or "whether there are any"
            self._add("custom options", where, *shown(x, y), detail)
        formats = (a.custom_options_format, b.custom_options_format)
        if formats[0] != formats[1] and custom == (None, None):
            self._add("note", where, *formats, "custom_options_format")

    def _called(self, where: str, name: str, left: Any, right: Any) -> None:
        """Compares which subgraphs an operator runs; their insides have rows of their own."""
        numbers = [meaning.numbers(value) for value in (left, right)]
        if self.left.summaries_of(numbers[0]) == self.right.summaries_of(numbers[1]):
            return
        texts = [
            [f"subgraph {number}" for number in numbers[0]],
            [f"subgraph {self._partners.get(number, f'{number}, new')}" for number in numbers[1]],
        ]
        if texts[0] != texts[1]:
            self._add("options", where, *map(", ".join, texts), name)

    def _source(self, graph: Graph, index: int) -> str:
        """Returns where a tensor's value comes from, in words."""
        if index < 0:
            return "nothing"
        name = graph.graph.tensors[index].name
        if index in graph.producer:
            position, output = graph.producer[index]
            producer = place(graph.graph.operators[position], graph.graph.index)
            return f"output {output} of {producer} ({name})"
        if index in graph.positions[0]:
            return f"input {graph.positions[0][index]} ({name})"
        return f"{'constant' if graph.is_constant(index) else 'tensor'} ({name})"

    def _operand(self, where: str, i: int, j: int) -> None:
        """Compares the sources of two operands, and constants themselves."""
        if i < 0 and j < 0:
            return
        left, right = self.left, self.right
        a, b = left.producer.get(i), right.producer.get(j)
        if i >= 0 and j >= 0 and a is None and b is None:
            if left.origin(i) == right.origin(j):
                self._tensor(where, i, j)
                return
        elif a and b and self.operators.get(a[0]) == b[0] and a[1] == b[1]:
            return
        elif left.value(i) == right.value(j):
            return
        self._add("operands", where, self._source(left, i), self._source(right, j))

    def _tensor(self, where: str, i: int, j: int) -> None:
        """Compares two tensors once, although several operators may share them."""
        if (i, j) in self._seen:
            return
        self._seen.add((i, j))
        self._tensors.setdefault(i, j)
        seen = [
            role for role, places in zip(_ROLES, self.left.positions, strict=True) if i in places
        ]
        role = seen[0] if seen else ""
        self._differences += tensors.differences(where, self.left, self.right, i, j, role)

    def _effects(self) -> None:
        """Compares the order of operators that have effects beyond their outputs."""
        expected = [self.operators[i] for i in self.left.pinned if i in self.operators]
        kept = set(expected)
        actual = [j for j in self.right.pinned if j in kept]
        if expected != actual:
            graph = self.right.graph
            equal = [i == j for i, j in zip(expected, actual, strict=False)]
            start = [*equal, False].index(False)
            names = [
                ", ".join(
                    place(graph.operators[j], graph.index)
                    for j in order[start : start + SHOWN_NUMBERS]
                )
                for order in (expected, actual)
            ]
            where = f"operators with effects{self._inside}"
            self._add("order", where, *names, "numbered as in the right file")

    def _layout(self, where: str) -> None:
        """Compares the order of operators, the numbers of tensors, and the sharing of buffers."""
        for difference in tensors.unused(where, self.left, self.right):
            self._differences.append(difference)
        for left, right, detail in self._layouts():
            self._add("layout", where, left, right, detail)

    def _layouts(self) -> Iterator[tuple[int | None, int | None, str]]:
        order = list(self.operators.values())
        if order != sorted(order):
            yield None, None, "operators in another order"
        if any(i != j for i, j in self._tensors.items()):
            yield None, None, "tensors numbered otherwise"
        graphs = (self.left.graph, self.right.graph)
        counts = [len(graph.tensors) for graph in graphs]
        if counts[0] != counts[1]:
            yield *counts, "number of tensors"
        buffers = [(graphs[0].tensors[i], graphs[1].tensors[j]) for i, j in self._tensors.items()]
        if any(a.buffer != b.buffer for a, b in buffers):
            yield None, None, "buffers numbered otherwise"
        full = {(a.buffer, b.buffer) for a, b in buffers if a.data.size and b.data.size}
        if not len(full) == len({a for a, _ in full}) == len({b for _, b in full}):
            yield None, None, "equal buffers shared otherwise"
