"""Pairs the operators of two subgraphs, so that a comparison can name what changed."""

import bisect
import collections
import difflib
from collections.abc import Callable, Sequence
from typing import Any

from reproducible_tflite.lib.meaning.meaning import Graph
from reproducible_tflite.lib.meaning.twins import Twins

Pairs = list[tuple[int, int]]
_Token = Callable[[Graph, int], Any]

# The limit for the product of the lengths that difflib searches. Beyond it, only tokens that are
# unique on both sides are matched.
_MAX_PRODUCT = 200_000


def _name(graph: Graph, index: int) -> Any:
    return graph.graph.operators[index].name


def _structure(graph: Graph, index: int) -> Any:
    return graph.structure(graph.graph.operators[index])


def _with_constants(graph: Graph, index: int) -> Any:
    return graph.local(graph.graph.operators[index])


# From the most specific to the least.
_TOKENS: Sequence[_Token] = (_with_constants, _structure, _name)


def _moved(left: Graph, right: Graph, a: Sequence[int], b: Sequence[int]) -> Pairs:
    """Pairs operators of equal constants anywhere, if both sides have the same number of them."""
    groups: tuple[dict, dict] = (collections.defaultdict(list), collections.defaultdict(list))
    for graph, indices, group in zip((left, right), (a, b), groups, strict=True):
        for index in indices:
            group[_with_constants(graph, index)].append(index)
    return [
        pair
        for key, indices in groups[0].items()
        if len(indices) == len(groups[1].get(key, ()))
        for pair in zip(indices, groups[1][key], strict=True)
    ]


def _unique_matches(a: Sequence[Any], b: Sequence[Any]) -> Pairs:
    """Returns the longest chain of tokens that both have once and in the same order."""
    counts = (collections.Counter(a), collections.Counter(b))
    place = {token: j for j, token in enumerate(b) if counts[1][token] == 1}
    return _increasing(
        [(i, place[token]) for i, token in enumerate(a) if counts[0][token] == 1 and token in place]
    )


def _increasing(candidates: Pairs) -> Pairs:
    """Returns the longest chain of pairs in which both numbers increase.

    Args:
      candidates: pairs of distinct numbers, ordered by the first.
    """
    # For each length, the chain with the lowest end.
    ends: list[int] = []
    chains: list[int] = []
    before: list[int | None] = []
    for number, (_, j) in enumerate(candidates):
        length = bisect.bisect_left(ends, j)
        before.append(chains[length - 1] if length else None)
        ends[length : length + 1] = [j]
        chains[length : length + 1] = [number]
    chain: Pairs = []
    last = chains[-1] if chains else None
    while last is not None:
        chain.append(candidates[last])
        last = before[last]
    return chain[::-1]


def _searched(a: Sequence[Any], b: Sequence[Any]) -> Pairs:
    """Returns places of equal tokens in two short sequences; none if these are long."""
    if len(a) * len(b) > _MAX_PRODUCT:
        return []
    return [
        (block.a + i, block.b + i)
        for block in difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
        for i in range(block.size)
    ]


def _matches(a: Sequence[Any], b: Sequence[Any]) -> Pairs:
    """Returns places of equal tokens in both sequences, increasing in both."""
    limit = min(len(a), len(b))
    head = next((i for i in range(limit) if a[i] != b[i]), limit)
    limit -= head
    tail = next((i for i in range(limit) if a[-1 - i] != b[-1 - i]), limit)
    inner_a, inner_b = a[head : len(a) - tail], b[head : len(b) - tail]
    inner: Pairs = []
    start_a = start_b = 0
    for i, j in [*_unique_matches(inner_a, inner_b), (len(inner_a), len(inner_b))]:
        gap = _searched(inner_a[start_a:i], inner_b[start_b:j])
        inner += [*((start_a + x, start_b + y) for x, y in gap), (i, j)]
        start_a, start_b = i + 1, j + 1
    return [
        *((i, i) for i in range(head)),
        *((head + i, head + j) for i, j in inner[:-1]),
        *((len(a) - i, len(b) - i) for i in range(tail, 0, -1)),
    ]


def _aligned(left: Graph, right: Graph, a: list[int], b: list[int], level: int = 0) -> Pairs:
    """Pairs two sequences of operators, by weaker and weaker tokens in the remaining gaps."""
    if not a or not b:
        return []
    # With equal names throughout, layers correspond one to one, even if weights were swapped.
    if [_name(left, i) for i in a] == [_name(right, i) for i in b]:
        return list(zip(a, b, strict=True))
    if level == len(_TOKENS):
        return list(zip(a, b, strict=True)) if len(a) == len(b) else []
    token = _TOKENS[level]
    pairs: Pairs = []
    end_a = end_b = 0
    matches = _matches([token(left, i) for i in a], [token(right, j) for j in b])
    for i, j in [*matches, (len(a), len(b))]:
        pairs += _aligned(left, right, a[end_a:i], b[end_b:j], level + 1)
        pairs += zip(a[i : i + 1], b[j : j + 1], strict=True)
        end_a, end_b = i + 1, j + 1
    return pairs


def _between(left: Graph, right: Graph, known: dict[int, int]) -> Pairs:
    """Pairs the operators that lie between known pairs in the canonical orders."""
    place = {j: number for number, j in enumerate(right.order)}
    chain = _increasing(
        [(number, place[known[i]]) for number, i in enumerate(left.order) if i in known]
    )
    taken = set(known.values())
    pairs: Pairs = []
    start_a = start_b = 0
    for end_a, end_b in [*chain, (len(left.order), len(right.order))]:
        a = [i for i in left.order[start_a:end_a] if i not in known]
        b = [j for j in right.order[start_b:end_b] if j not in taken]
        pairs += _aligned(left, right, a, b)
        start_a, start_b = end_a + 1, end_b + 1
    return pairs


def pair_operators(left: Graph, right: Graph) -> Pairs:
    """Pairs operators of equal place in the graph, then the others along the canonical order.

    Returns:
      (index in the left subgraph, index in the right one); each at most once. Operators without a
      pair were removed or added.
    """
    pairs = Twins(left, right).pair_all()
    pairs |= _between(left, right, pairs)
    taken = set(pairs.values())
    a = [i for i in left.order if i not in pairs]
    b = [j for j in right.order if j not in taken]
    return sorted([*pairs.items(), *_moved(left, right, a, b)])
