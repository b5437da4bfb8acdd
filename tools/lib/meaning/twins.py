"""Pairs the operators of two subgraphs that have the same name and the same place in the graph.

Several operators may have the same place (twins). Those with equal values, paired neighbours or
equal names belong together. What remains is symmetric: any choice is right if all choices agree.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from reproducible_tflite.lib.meaning.meaning import Graph, digest

_Neighbours = list[list[tuple[str, int, int, int]]]
_LEFT, _RIGHT = 0, 1


def _neighbours(graph: Graph) -> _Neighbours:
    """Returns what each operator reads from and is read by, with the slots."""
    near: _Neighbours = [[] for _ in graph.operators]
    for operator in graph.graph.operators:
        for slot, tensor in enumerate(operator.inputs):
            if tensor in graph.producer:
                source, output = graph.producer[tensor]
                near[operator.index].append(("reads", slot, output, source))
                near[source].append(("is read", output, slot, operator.index))
    return near


def _uses(graph: Graph, near: _Neighbours) -> list[bytes]:
    """Returns, for each operator, a digest of what its results are for, constants included."""
    uses = [b""] * len(near)
    for operator in reversed(graph.graph.operators):
        readers = [
            (output, slot, graph.local(graph.graph.operators[reader]), uses[reader])
            for what, output, slot, reader in near[operator.index]
            if what == "is read"
        ]
        outputs = [graph.positions[1].get(tensor) for tensor in operator.outputs]
        uses[operator.index] = digest(sorted(readers), outputs)
    return uses


class Twins:
    """A growing set of pairs of operators with equal skeletons.

    Attributes:
      pairs: the number of the right operator, by that of the left one.
    """

    def __init__(self, left: Graph, right: Graph) -> None:
        self.pairs: dict[int, int] = {}
        self._graphs = (left, right)
        self._near = (_neighbours(left), _neighbours(right))
        self._all_uses = tuple(map(_uses, self._graphs, self._near))
        # The shared number of a pair, on either side.
        self._paired: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._groups: dict[bytes, tuple[list[int], list[int]]] = {}
        for side, graph in enumerate(self._graphs):
            for index in graph.order:
                group = self._groups.setdefault(graph.skeletons[index], ([], []))
                group[side].append(index)

    def pair_all(self) -> dict[int, int]:
        """Pairs as many operators as possible; returns `pairs`."""
        self._unique(self._groups, self._computation, self._labels)
        self._unique(self._groups, self._computation)
        self._propagate(self._groups)
        for tokens in (
            (self._uses,),
            (self._local, self._labels),
            (self._labels,),
            (self._local,),
            (self._structure,),
        ):
            found = self._unique(self._groups, self._paired_neighbours, *tokens)
            self._propagate(self._around(found))
        for key in self._groups:
            self._choose(key)
        return self.pairs

    def _add(self, i: int, j: int) -> None:
        self.pairs[i] = j
        self._paired[_LEFT][i] = self._paired[_RIGHT][j] = len(self.pairs)

    def _free(self, key: bytes) -> tuple[list[int], list[int]]:
        """Returns the operators of a group that have no pair yet."""
        group = self._groups[key]
        for side, paired in enumerate(self._paired):
            group[side][:] = [index for index in group[side] if index not in paired]
        return group

    def _unique(
        self, keys: Iterable[bytes], *tokens: Callable[[int, int], Any]
    ) -> list[tuple[int, int]]:
        """Pairs operators whose tokens occur once on either side of their group."""
        found = []
        for key in keys:
            places: tuple[dict, dict] = ({}, {})
            for side, indices in enumerate(self._free(key)):
                for index in indices:
                    value = tuple(token(side, index) for token in tokens)
                    places[side].setdefault(value, []).append(index)
            for value, a in places[_LEFT].items():
                b = places[_RIGHT].get(value, ())
                if len(a) == len(b) == 1:
                    found.append((a[0], b[0]))
        for pair in found:
            self._add(*pair)
        return found

    def _propagate(self, keys: Iterable[bytes]) -> None:
        """Pairs what the pairs so far decide: the last of a group, and neighbours of pairs."""
        while keys:
            found = self._unique(keys, self._paired_neighbours)
            for key in keys:
                a, b = self._free(key)
                if len(a) == len(b) == 1:
                    found.append((a[0], b[0]))
                    self._add(a[0], b[0])
            keys = self._around(found)

    def _follow(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Pairs the neighbours of pairs that these decide, at any distance."""
        pending = list(pairs)
        for pair in pending:
            places: tuple[dict, dict] = ({}, {})
            for side, index in enumerate(pair):
                skeletons = self._graphs[side].skeletons
                for other in dict.fromkeys(near[-1] for near in self._near[side][index]):
                    if other not in self._paired[side]:
                        value = (skeletons[other], self._paired_neighbours(side, other))
                        places[side].setdefault(value, []).append(other)
            for value, a in places[_LEFT].items():
                b = places[_RIGHT].get(value, ())
                if len(a) == len(b) == 1:
                    self._add(a[0], b[0])
                    pending.append((a[0], b[0]))

    def _around(self, pairs: Iterable[tuple[int, int]]) -> dict[bytes, None]:
        """Returns the groups of the left neighbours of pairs, without duplicates, in order."""
        skeletons = self._graphs[_LEFT].skeletons
        return dict.fromkeys(
            key
            for i, _ in pairs
            for key in (skeletons[i], *(skeletons[near[-1]] for near in self._near[_LEFT][i]))
        )

    def _choose(self, key: bytes) -> None:
        """Pairs members of a group that are symmetric, as equal as possible."""
        for tokens in (
            (self._computation, self._uses),
            (self._computation,),
            (self._local,),
            (self._structure,),
            (),
        ):
            while pairs := self._equal(key, tokens):
                settled = list(filter(self._is_settled, pairs))
                # No choice among them affects another, since all their neighbours have pairs.
                for chosen in [settled] if settled else [[pair] for pair in pairs]:
                    if self._is_free(chosen[0]):
                        for pair in chosen:
                            self._add(*pair)
                        self._follow(chosen)

    def _equal(
        self, key: bytes, tokens: Sequence[Callable[[int, int], Any]]
    ) -> list[tuple[int, int]]:
        """Returns pairs of a group's free members of equal tokens, in the canonical order.

        Without tokens all are equal, if both sides have the same number of them.
        """
        a, b = self._free(key)
        if not tokens:
            return list(zip(a, b, strict=True)) if len(a) == len(b) else []
        places: dict[Any, list[int]] = {}
        for j in reversed(b):
            places.setdefault(tuple(token(_RIGHT, j) for token in tokens), []).append(j)
        pairs = []
        for i in a:
            if equal := places.get(tuple(token(_LEFT, i) for token in tokens)):
                pairs.append((i, equal.pop()))
        return pairs

    def _is_free(self, pair: tuple[int, int]) -> bool:
        return all(i not in paired for i, paired in zip(pair, self._paired, strict=True))

    def _is_settled(self, pair: tuple[int, int]) -> bool:
        return all(
            other in paired
            for near, paired, index in zip(self._near, self._paired, pair, strict=True)
            for *_, other in near[index]
        )

    def _computation(self, side: int, index: int) -> Any:
        return self._graphs[side].operators[index]

    def _local(self, side: int, index: int) -> Any:
        graph = self._graphs[side]
        return graph.local(graph.graph.operators[index])

    def _structure(self, side: int, index: int) -> Any:
        graph = self._graphs[side]
        return graph.structure(graph.graph.operators[index])

    def _uses(self, side: int, index: int) -> Any:
        return self._all_uses[side][index]

    def _labels(self, side: int, index: int) -> Any:
        """Returns what an operator is called and notes, which is no part of its meaning."""
        graph = self._graphs[side].graph
        operator = graph.operators[index]
        names = [
            tuple(graph.tensors[tensor].name for tensor in tensors if tensor >= 0)
            for tensors in (operator.outputs, operator.inputs)
        ]
        return *names, operator.version, operator.debug_metadata_index

    def _paired_neighbours(self, side: int, index: int) -> Any:
        paired = self._paired[side]
        near = self._near[side][index]
        return tuple(sorted((*slots, paired[other]) for *slots, other in near if other in paired))
