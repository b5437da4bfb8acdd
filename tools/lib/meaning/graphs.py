"""Finds the differences between the subgraphs and signatures of two models."""

import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reproducible_tflite.lib.meaning import input_order, meaning
from reproducible_tflite.lib.meaning.alignment import pair_operators
from reproducible_tflite.lib.meaning.difference import Difference
from reproducible_tflite.lib.meaning.meaning import Graph
from reproducible_tflite.lib.meaning.pair import Pair
from reproducible_tflite.lib.tflite_file.model import Model, Operator, Signature
from reproducible_tflite.lib.tflite_file.references import is_subgraph_field


def _called(operator: Operator) -> dict[tuple[str, int], int]:
    """Returns the numbers of the subgraphs that an operator runs, by the place in its options."""
    return {
        (name, place): number
        for name, value in operator.options.items()
        if is_subgraph_field(name)
        for place, number in enumerate(meaning.numbers(value))
        if number >= 0
    }


def _by_key(model: Model) -> dict[tuple[str, int], Signature]:
    """Returns the signatures by their keys and their numbers among those of the same key.

    The runtime takes the first of them.
    """
    counts: collections.Counter[str] = collections.Counter()
    signatures = {}
    for signature in model.signatures:
        signatures[signature.key, counts[signature.key]] = signature
        counts[signature.key] += 1
    return signatures


class _Comparison:
    """The comparison of two models' subgraphs and signatures."""

    def __init__(self, left: Model, right: Model) -> None:
        """Pairs the subgraphs: by signatures, by what they compute, by what runs them, by name."""
        a, b = self._signatures = (_by_key(left), _by_key(right))
        # The pairs of signatures that a runtime finds by their keys: the first of each key.
        self._common = [(a[key], b[key]) for key in sorted(a.keys() & b.keys()) if key[1] == 0]
        self._arguments = collections.defaultdict(list)
        for x, y in self._common:
            self._arguments[x.subgraph, y.subgraph].append((x.inputs, y.inputs))
        self._graphs = (meaning.graphs(left), meaning.graphs(right))
        # The numbers of the right subgraph and of its operators, by those of the left one.
        self._subgraphs: dict[int, int] = {}
        self._operators: dict[int, dict[int, int]] = {}
        self._taken: set[int] = set()
        if all(self._graphs):
            self._add(0, 0)
        for a, b in self._common:
            self._add(a.subgraph, b.subgraph)
        self._pair_equal(lambda graph: (graph.summary, graph.graph.name))
        self._pair_equal(lambda graph: graph.summary)
        self._pair_called()
        self._pair_equal(lambda graph: graph.graph.name)
        self._pair_equal(lambda graph: "any")

    def _add(self, i: int, j: int) -> bool:
        """Pairs two subgraphs; returns False if one of them has a pair already."""
        if i in self._subgraphs or j in self._taken:
            return False
        a, b = self._graphs[0][i], self._graphs[1][j]
        if a.summary != b.summary:
            b = self._graphs[1][j] = input_order.like(a, b, self._arguments[i, j])
        self._subgraphs[i] = j
        self._taken.add(j)
        self._operators[i] = dict(pair_operators(a, b))
        return True

    def _pair_equal(self, token: Callable[[Graph], Any]) -> None:
        """Pairs subgraphs of equal tokens, if both models have the same number of them."""
        groups = (collections.defaultdict(list), collections.defaultdict(list))
        for side, paired in enumerate((set(self._subgraphs), set(self._taken))):
            for number, graph in enumerate(self._graphs[side]):
                if number not in paired:
                    groups[side][token(graph)].append(number)
        for key, numbers in groups[0].items():
            if len(numbers) == len(groups[1].get(key, ())):
                for pair in zip(numbers, groups[1][key], strict=True):
                    self._add(*pair)

    def _pair_called(self) -> None:
        """Pairs what paired operators run, at any depth."""
        pending = list(self._subgraphs)
        for i in pending:
            sides = [
                graphs[number].graph.operators
                for graphs, number in zip(self._graphs, (i, self._subgraphs[i]), strict=True)
            ]
            for numbers in self._operators[i].items():
                a, b = (_called(side[number]) for side, number in zip(sides, numbers, strict=True))
                pending += [a[place] for place in a if place in b and self._add(a[place], b[place])]

    def differences(self) -> tuple[bool, list[Difference]]:
        """Returns whether both models compute the same, and all differences."""
        partners = {j: i for i, j in self._subgraphs.items()}
        pairs = {
            i: Pair(self._graphs[0][i], self._graphs[1][j], self._operators[i], partners)
            for i, j in self._subgraphs.items()
        }
        signatures = list(self._signature_differences(pairs))
        signed = {a.subgraph for a, _ in self._common}
        found: list[Difference] = []
        for i, pair in sorted(pairs.items()):
            rows = pair.compare()
            if not signatures and i in signed:
                rows = [_same_by_signature(row) for row in rows]
            found += rows
        found += self._alone()
        if any(i != j for i, j in self._subgraphs.items()):
            found.append(Difference("layout", "model", None, None, "subgraphs numbered otherwise"))
        same = all(pair.left.summary == pair.right.summary for pair in pairs.values())
        return same, found + signatures

    def _alone(self) -> Iterator[Difference]:
        """Yields the subgraphs without a pair."""
        for number, graph in enumerate(self._graphs[0]):
            if number not in self._subgraphs:
                yield Difference("subgraph removed", f"subgraph {number}", graph.graph.name, None)
        for number, graph in enumerate(self._graphs[1]):
            if number not in self._taken:
                yield Difference("subgraph added", f"subgraph {number}", None, graph.graph.name)

    def _signature_differences(self, pairs: Mapping[int, Pair]) -> Iterator[Difference]:
        a, b = self._signatures
        partners = {j: f"subgraph {i}" for i, j in self._subgraphs.items()}
        for key in sorted(a.keys() | b.keys()):
            name, place = key
            where = f"signature {name!r}" + f", number {place}" * (place > 0)
            if key not in a or key not in b:
                yield Difference("signature", where, *(_call(side.get(key)) for side in (a, b)))
            elif self._subgraphs.get(a[key].subgraph) != b[key].subgraph:
                numbers = (a[key].subgraph, b[key].subgraph)
                right = partners.get(numbers[1], f"subgraph {numbers[1]}, new")
                yield Difference("signature", where, f"subgraph {numbers[0]}", right)
            else:
                pair = pairs[a[key].subgraph]
                outputs = {place: place for place in range(len(pair.left.graph.outputs))}
                x = _arguments(pair.left, a[key], outputs)
                y = _arguments(pair.right, b[key], pair.output_ranks)
                for argument in sorted(x.keys() | y.keys()):
                    texts = (x.get(argument), y.get(argument))
                    if texts[0] != texts[1]:
                        yield Difference("signature", f"{where} {argument}", *texts)


def _same_by_signature(row: Difference) -> Difference:
    if row.kind not in ("input order", "output order"):
        return row
    return dataclasses.replace(row, detail="by signature nothing changed")


def _call(signature: Signature | None) -> str | None:
    return signature and f"({', '.join(signature.inputs)}) -> ({', '.join(signature.outputs)})"


def _arguments(
    graph: Graph, signature: Signature, output_ranks: Mapping[int, int]
) -> dict[str, str]:
    """Returns a signature's arguments by role and name: as "input 0", or as a value's digest.

    Args:
      graph: the subgraph that it runs.
      signature: the signature.
      output_ranks: the places of the outputs on the left, by their own places.
    """
    inputs, outputs = graph.positions
    places = {index: f"output {output_ranks.get(j, f'{j}, new')}" for index, j in outputs.items()}
    roles = (
        ("input", signature.inputs, {index: f"input {i}" for index, i in inputs.items()}),
        ("output", signature.outputs, places),
    )
    return {
        f"{role} {name}": known.get(index)
        or f"a tensor with the digest {graph.value(index).hex()[:8]}"
        for role, entries, known in roles
        for name, index in entries.items()
    }


def compare(left: Model, right: Model) -> tuple[bool, list[Difference]]:
    """Compares what two models compute.

    Returns:
      Whether they compute the same, and all differences in subgraphs and signatures.
    """
    same, differences = _Comparison(left, right).differences()
    changes = any(difference.changes_meaning for difference in differences)
    if not same and not changes:
        # The digests decide; the pairing of operators does not show this difference.
        differences.append(Difference("graph", "model", None, None, "values meet in another way"))
    return same and not changes, differences
