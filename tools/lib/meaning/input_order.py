"""Finds out which inputs of two subgraphs correspond, if their order may differ."""

import collections
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.meaning.meaning import Graph

# With more inputs than this, only orders are tried that names suggest.
_MOST_PERMUTED = 4


def _by_name(left: Sequence[Any], right: Sequence[Any]) -> tuple[int, ...] | None:
    """Returns the left place of each right value; new values come last. None if any is twice."""
    known = set(right)
    if len(set(left)) < len(left) or len(known) < len(right):
        return None
    places = {value: place for place, value in enumerate(left)}
    if len(left) == len(right):
        free = iter([place for value, place in places.items() if value not in known])
    else:
        free = itertools.count(len(left))
    return tuple(places[value] if value in places else next(free) for value in right)


def _candidates(
    left: Graph, right: Graph, arguments: Sequence[tuple[Mapping[str, int], Mapping[str, int]]]
) -> Iterator[tuple[int, ...] | None]:
    for sides in arguments:
        named = [{index: name for name, index in side.items()} for side in sides]
        names = [
            [by_index.get(index, index) for index in graph.graph.inputs]
            for by_index, graph in zip(named, (left, right), strict=True)
        ]
        yield _by_name(*names)
    yield _by_name(*(_names(graph) for graph in (left, right)))
    count = len(right.graph.inputs)
    if count == len(left.graph.inputs) <= _MOST_PERMUTED:
        yield from itertools.permutations(range(count))


def _names(graph: Graph) -> list[str]:
    return [graph.graph.tensors[index].name for index in graph.graph.inputs]


def _likeness(left: Graph, right: Graph) -> tuple[int, ...]:
    """Returns how much of two subgraphs is equal: the most telling part first."""

    def shared(a: Sequence[bytes], b: Sequence[bytes]) -> int:
        return (collections.Counter(a) & collections.Counter(b)).total()

    def inputs(graph: Graph) -> list[tuple[int, Any]]:
        ranked = zip(graph.input_ranks, graph.graph.inputs, strict=True)
        return [(rank, graph.interface(index)) for rank, index in ranked]

    return (
        shared(left.operators, right.operators),
        shared(left.skeletons, right.skeletons),
        shared(inputs(left), inputs(right)),
        shared(
            list(enumerate(_names(left))),
            list(zip(right.input_ranks, _names(right), strict=True)),
        ),
    )


def like(
    left: Graph, right: Graph, arguments: Sequence[tuple[Mapping[str, int], Mapping[str, int]]]
) -> Graph:
    """Returns the right subgraph with its inputs numbered as those that they are on the left.

    Args:
      left: the left subgraph.
      right: the right subgraph.
      arguments: the inputs that signatures name, on both sides.
    """
    best, likeness = right, _likeness(left, right)
    for ranks in dict.fromkeys(_candidates(left, right, arguments)):
        if ranks is None or ranks == right.input_ranks:
            continue
        other = right.with_input_ranks(ranks)
        if (found := _likeness(left, other)) > likeness:
            best, likeness = other, found
    return best
