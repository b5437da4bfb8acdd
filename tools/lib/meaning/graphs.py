"""Finds the differences between the subgraphs and signatures of two models."""

import collections
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tools.lib.meaning import meaning, weights
from tools.lib.meaning.alignment import pair_operators
from tools.lib.meaning.difference import Difference
from tools.lib.meaning.meaning import Graph
from tools.lib.tflite_file.model import Model, Operator, Quantization, Signature, Tensor

# The names of these operators' inputs; inputs of other operators are numbered.
_OPERANDS = {
    "CONV_2D": ("input", "weights", "bias"),
    "CONV_3D": ("input", "weights", "bias"),
    "DEPTHWISE_CONV_2D": ("input", "weights", "bias"),
    "FULLY_CONNECTED": ("input", "weights", "bias"),
    "TRANSPOSE_CONV": ("output shape", "weights", "input", "bias"),
}
_SHOWN_NUMBERS = 4


def _operand(operator: Operator, slot: int) -> str:
    names = _OPERANDS.get(operator.name, ())
    return names[slot] if slot < len(names) else f"input {slot}"


def _place(operator: Operator) -> str:
    return f"{operator.name} {operator.index}"


def _numbers(values: np.ndarray) -> str:
    shown = ",".join(f"{value:.9g}" for value in values[:_SHOWN_NUMBERS].tolist())
    more = f",... ({values.size})" if values.size > _SHOWN_NUMBERS else ""
    return f"[{shown}{more}]"


def _size(shape: Sequence[int]) -> str:
    return "x".join("?" if length < 0 else str(length) for length in shape) or "scalar"


def _shown_option(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _numbers(value) if value.ndim == 1 else str(value)
    return value


class _Pair:
    """The comparison of two subgraphs."""

    def __init__(self, left: Graph, right: Graph) -> None:
        self.left, self.right = left, right
        self.differences: list[Difference] = []
        self.operators = dict(pair_operators(left, right))
        self.tensors: dict[int, int] = {}
        self.seen: set[tuple[str, int, int]] = set()

    def add(self, kind: str, where: str, left: Any, right: Any, detail: str = "") -> None:
        self.differences.append(Difference(kind, where, left, right, detail))

    def compare(self) -> list[Difference]:
        """Returns the differences, in the order of the left subgraph."""
        a, b = self.left.graph, self.right.graph
        if a.name != b.name:
            self.add("name", f"subgraph {a.index}", a.name, b.name)
        self.interface("input", a.inputs, b.inputs)
        self.changed_operators()
        for i, j in self.operators.items():
            self.operator(a.operators[i], b.operators[j])
        self.interface("output", a.outputs, b.outputs)
        self.effects()
        self.layout()
        return self.differences

    def changed_operators(self) -> None:
        paired = set(self.operators.values())
        for operator in self.left.graph.operators:
            if operator.index not in self.operators:
                self.add("operator removed", _place(operator), *self.written(operator, None))
        for operator in self.right.graph.operators:
            if operator.index not in paired:
                self.add("operator added", _place(operator), *self.written(None, operator))

    def written(self, left: Operator | None, right: Operator | None) -> tuple[str | None, ...]:
        """Returns the names of the tensors that two operators write."""

        def names(graph: Graph, operator: Operator | None) -> str | None:
            if operator is None:
                return None
            tensors = graph.graph.tensors
            return ", ".join(tensors[index].name for index in operator.outputs if index >= 0)

        return names(self.left, left), names(self.right, right)

    def interface(self, role: str, left: Sequence[int], right: Sequence[int]) -> None:
        if len(left) != len(right):
            self.add(f"{role}s", f"subgraph {self.left.graph.index}", len(left), len(right))
        for position, (i, j) in enumerate(zip(left, right, strict=False)):
            where = f"{role} {position}"
            if role == "output":
                self.operand(where, i, j)
            self.tensor(where, i, j)
            a, b = self.left.graph.tensors[i], self.right.graph.tensors[j]
            if a.shape_signature != b.shape_signature:
                shapes = (_size(a.shape_signature), _size(b.shape_signature))
                self.add(f"{role} shape signature", where, *shapes, "? can be asked for")

    def operator(self, a: Operator, b: Operator) -> None:
        where = _place(a)
        if (a.name, a.builtin) != (b.name, b.builtin):
            self.add("operator changed", where, a.name, b.name)
        self.options(where, a, b)
        if a.version != b.version:
            self.add("operator version", where, a.version, b.version)
        if len(a.inputs) != len(b.inputs) or len(a.outputs) != len(b.outputs):
            self.add(
                "operands",
                where,
                f"{len(a.inputs)} inputs, {len(a.outputs)} outputs",
                f"{len(b.inputs)} inputs, {len(b.outputs)} outputs",
            )
        for slot, (i, j) in enumerate(zip(a.inputs, b.inputs, strict=False)):
            self.operand(f"{where} {_operand(a, slot)}", i, j)
        for role, left, right in (
            ("intermediate", a.intermediates, b.intermediates),
            ("output", a.outputs, b.outputs),
        ):
            for slot, (i, j) in enumerate(zip(left, right, strict=False)):
                name = role if len(left) == 1 else f"{role} {slot}"
                if (i < 0) != (j < 0):
                    self.add("operands", f"{where} {name}", i >= 0, j >= 0, "whether there is one")
                elif i >= 0:
                    self.tensor(f"{where} {name}", i, j)

    def options(self, where: str, a: Operator, b: Operator) -> None:
        pairs = (self.left.options(a), self.right.options(b))
        if meaning.digest(pairs[0]) != meaning.digest(pairs[1]):
            if a.options_type != b.options_type:
                self.add("options", where, a.options_type or None, b.options_type or None)
            else:
                for name in a.options:
                    values = (pairs[0][1][name], pairs[1][1][name])
                    if meaning.digest(values[0]) != meaning.digest(values[1]):
                        shown = (_shown_option(a.options[name]), _shown_option(b.options[name]))
                        self.add("options", where, *shown, name)
        elif a.options_type != b.options_type:
            self.add("empty options", where, a.options_type or None, b.options_type or None)
        custom = (meaning.custom_options(a), meaning.custom_options(b))
        if meaning.digest(custom[0]) != meaning.digest(custom[1]):
            decoded = (a.decoded_custom_options, b.decoded_custom_options)
            if all(isinstance(part, dict) for part in decoded):
                for name in sorted(decoded[0].keys() | decoded[1].keys()):
                    values = [part.get(name) for part in decoded]
                    if meaning.digest(values[0]) != meaning.digest(values[1]):
                        self.add("custom options", where, *values, name)
            else:
                sizes = [f"{part.custom_options.size} bytes" for part in (a, b)]
                self.add("custom options", where, *sizes, "not both a FlexBuffer with a map")

    def source(self, graph: Graph, index: int) -> str:
        """Returns where a tensor's value comes from, in words."""
        if index < 0:
            return "nothing"
        name = graph.graph.tensors[index].name
        if index in graph.producer:
            position, output = graph.producer[index]
            producer = graph.graph.operators[position]
            return f"output {output} of {_place(producer)} ({name})"
        if index in graph.positions[0]:
            return f"input {graph.positions[0][index]} ({name})"
        return f"{'constant' if graph.is_constant(index) else 'tensor'} ({name})"

    def operand(self, where: str, i: int, j: int) -> None:
        """Compares the sources of two operands, and the values of constants."""
        if i < 0 and j < 0:
            return
        left, right = self.left, self.right
        a, b = left.producer.get(i), right.producer.get(j)
        if i >= 0 and j >= 0 and a is None and b is None:
            if left.origin(i) == right.origin(j):
                self.tensor(where, i, j)
                if left.graph.tensors[i].data.size or right.graph.tensors[j].data.size:
                    self.constant(where, i, j)
                return
        elif a and b and self.operators.get(a[0]) == b[0] and a[1] == b[1]:
            return
        elif left.value(i) == right.value(j):
            return
        self.add("operands", where, self.source(left, i), self.source(right, j))

    def first_time(self, what: str, i: int, j: int) -> bool:
        """Returns whether two tensors are compared in this way for the first time.

        Operators share tensors, so a pair may come up again.
        """
        key = (what, i, j)
        fresh = key not in self.seen
        self.seen.add(key)
        return fresh

    def constant(self, where: str, i: int, j: int) -> None:
        if self.left.data(i) == self.right.data(j) or not self.first_time("constant", i, j):
            return
        a, b = self.left.graph.tensors[i], self.right.graph.tensors[j]
        x, y = a.values(), b.values()
        if (a.dtype, x.size) != (b.dtype, y.size):
            self.add("weights", where, f"{x.size} values", f"{y.size} values", a.name)
            return
        difference = weights.compare(a.dtype, x, y)
        if difference:
            self.differences.append(
                Difference(
                    "weights", where, *difference.values, difference.text(), difference.figures()
                )
            )

    def tensor(self, where: str, i: int, j: int) -> None:
        """Compares the properties of two tensors of the same role, once per pair."""
        if not self.first_time("tensor", i, j):
            return
        self.tensors.setdefault(i, j)
        a, b = self.left.graph.tensors[i], self.right.graph.tensors[j]
        if a.name != b.name:
            self.add("name", where, a.name, b.name)
        if a.dtype != b.dtype:
            self.add("type", where, a.dtype, b.dtype)
        if a.shape != b.shape:
            self.add("shape", where, _size(a.shape), _size(b.shape))
        outer = any(i in places for places in self.left.positions)
        if a.shape_signature != b.shape_signature and a.shape == b.shape and not outer:
            shapes = (_size(a.shape_signature), _size(b.shape_signature))
            self.add("inner shape signature", where, *shapes)
        if a.is_variable != b.is_variable:
            self.add("variable", where, a.is_variable, b.is_variable)
        for kind, x, y in (
            ("sparsity", a.sparsity, b.sparsity),
            ("variants", a.variants, b.variants),
        ):
            if meaning.digest(x) != meaning.digest(y):
                self.add(kind, where, *("some" if part else None for part in (x, y)))
        self.quantization(where, a, b)

    def quantization(self, where: str, a: Tensor, b: Tensor) -> None:
        if meaning.digest(meaning.quantization(a.quantization)) != meaning.digest(
            meaning.quantization(b.quantization)
        ):
            before = len(self.differences)
            x, y = a.quantization or _NONE, b.quantization or _NONE
            for field in ("scale", "zero_point"):
                values = (getattr(x, field), getattr(y, field))
                if meaning.digest(values[0]) != meaning.digest(values[1]):
                    self.add("quantization", where, *map(_numbers, values), field.replace("_", " "))
            if x.axis != y.axis:
                self.add("quantization", where, x.axis, y.axis, "axis")
            if len(self.differences) == before:
                self.add("quantization", where, *(str(q.details)[:200] for q in (x, y)), "details")
        elif a.quantization or b.quantization:
            x, y = a.quantization or _NONE, b.quantization or _NONE
            if x.axis != y.axis:
                self.add("axis of one scale", where, x.axis, y.axis)
            for field in ("minimum", "maximum"):
                values = (getattr(x, field), getattr(y, field))
                if meaning.digest(values[0]) != meaning.digest(values[1]):
                    self.add("range", where, *map(_numbers, values), field)

    def effects(self) -> None:
        """Compares the order of operators that have effects beyond their outputs."""
        expected = [self.operators[i] for i in self.left.pinned if i in self.operators]
        kept = set(expected)
        actual = [j for j in self.right.pinned if j in kept]
        if expected != actual:
            names = [
                ", ".join(_place(self.right.graph.operators[j]) for j in order[:_SHOWN_NUMBERS])
                for order in (expected, actual)
            ]
            self.add("order", "operators with effects", *names, "numbered as in the right file")

    def layout(self) -> None:
        """Compares the order of operators, the numbers of tensors, and the sharing of buffers."""
        where = f"subgraph {self.left.graph.index}"
        order = list(self.operators.values())
        if order != sorted(order):
            self.add("layout", where, None, None, "operators in another order")
        if any(i != j for i, j in self.tensors.items()):
            self.add("layout", where, None, None, "tensors numbered otherwise")
        counts = [len(graph.graph.tensors) for graph in (self.left, self.right)]
        if counts[0] != counts[1]:
            self.add("layout", where, *counts, "number of tensors")
        unused = [graph.unused() for graph in (self.left, self.right)]
        if unused[0] != unused[1]:
            self.add("unused tensors", where, *map(len, unused), "no operator has them")
        buffers = [
            (self.left.graph.tensors[i], self.right.graph.tensors[j])
            for i, j in self.tensors.items()
        ]
        if any(a.buffer != b.buffer for a, b in buffers):
            self.add("layout", where, None, None, "buffers numbered otherwise")
        full = {(a.buffer, b.buffer) for a, b in buffers if a.data.size and b.data.size}
        if not len(full) == len({a for a, _ in full}) == len({b for _, b in full}):
            self.add("layout", where, None, None, "equal buffers shared otherwise")


_NO_VALUES = np.zeros(0)
_NONE = Quantization(_NO_VALUES, _NO_VALUES, 0, _NO_VALUES, _NO_VALUES, None)


def _pair_subgraphs(left: Sequence[Graph], right: Sequence[Graph]) -> dict[int, int]:
    """Pairs the main subgraphs, then others that compute the same, then the rest in order."""
    pairs = {0: 0} if left and right else {}
    equal = collections.defaultdict(collections.deque)
    for j in range(1, len(right)):
        equal[right[j].summary].append(j)
    for i in range(1, len(left)):
        if equal[left[i].summary]:
            pairs[i] = equal[left[i].summary].popleft()
    rest = (i for i in range(len(left)) if i not in pairs)
    free = sorted(j for numbers in equal.values() for j in numbers)
    return pairs | dict(zip(rest, free, strict=False))


def _arguments(graph: Graph, signature: Signature) -> dict[str, dict[str, str]]:
    """Returns a signature's arguments by role and name: as "input 0", or as a value's digest."""

    def place(role: str, places: Mapping[int, int], index: int) -> str:
        if index in places:
            return f"{role} {places[index]}"
        return f"a tensor with the digest {graph.value(index).hex()[:8]}"

    return {
        role: {name: place(role, places, index) for name, index in entries.items()}
        for role, entries, places in zip(
            ("input", "output"),
            (signature.inputs, signature.outputs),
            graph.positions,
            strict=True,
        )
    }


def _signatures(
    left: Model,
    right: Model,
    graphs: tuple[Sequence[Graph], Sequence[Graph]],
    subgraphs: Mapping[int, int],
) -> Iterator[Difference]:
    a = {signature.key: signature for signature in left.signatures}
    b = {signature.key: signature for signature in right.signatures}
    for key in sorted(a.keys() | b.keys()):
        where = f"signature {key!r}"
        if key not in a or key not in b:
            sides = [part.get(key) for part in (a, b)]
            shown = [
                side and f"({', '.join(side.inputs)}) -> ({', '.join(side.outputs)})"
                for side in sides
            ]
            yield Difference("signature", where, *shown)
            continue
        if subgraphs.get(a[key].subgraph) != b[key].subgraph:
            numbers = [f"subgraph {side.subgraph}" for side in (a[key], b[key])]
            yield Difference("signature", where, *numbers)
            continue
        roles = [
            _arguments(part[side[key].subgraph], side[key])
            for part, side in zip(graphs, (a, b), strict=True)
        ]
        for role in ("input", "output"):
            x, y = (part[role] for part in roles)
            for name in sorted(x.keys() | y.keys()):
                if x.get(name) != y.get(name):
                    place = f"{where} {role} {name}"
                    yield Difference("signature", place, x.get(name), y.get(name))


def compare(left: Model, right: Model) -> tuple[bool, list[Difference]]:
    """Compares what two models compute.

    Returns:
      Whether they compute the same, and all differences in subgraphs and signatures.
    """
    graphs = (meaning.graphs(left), meaning.graphs(right))
    subgraphs = _pair_subgraphs(*graphs)
    differences = []
    for i, j in subgraphs.items():
        differences += _Pair(graphs[0][i], graphs[1][j]).compare()
    if len(graphs[0]) != len(graphs[1]):
        differences.append(Difference("subgraphs", "model", len(graphs[0]), len(graphs[1])))
    if any(i != j for i, j in subgraphs.items()):
        differences.append(
            Difference("layout", "model", None, None, "subgraphs numbered otherwise")
        )
    differences += _signatures(left, right, graphs, subgraphs)
    same = all(graphs[0][i].summary == graphs[1][j].summary for i, j in subgraphs.items())
    changes = any(difference.changes_meaning for difference in differences)
    if not same and not changes:
        # The digests decide; the pairing of operators does not show this difference.
        differences.append(Difference("graph", "model", None, None, "values meet in another way"))
    return same and not changes, differences
