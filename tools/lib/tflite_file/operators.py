"""The canonical order of a subgraph's operators.

TensorFlow Lite runs operators in the order of the file, and a converter may choose any order in
which every operator comes after those that it reads from. TensorFlow 1.15 lets a hash map choose.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

# Operators with effects beyond their outputs, or whose effects the file does not tell (subgraphs).
PINNED = frozenset(
    (
        "ASSIGN_VARIABLE CALL CALL_ONCE CUSTOM DELEGATE HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT "
        "HASHTABLE_SIZE IF MULTINOMIAL RANDOM_STANDARD_NORMAL RANDOM_UNIFORM READ_VARIABLE "
        "STABLEHLO_CASE STABLEHLO_COMPOSITE STABLEHLO_CUSTOM_CALL STABLEHLO_RNG_BIT_GENERATOR "
        "STABLEHLO_WHILE VAR_HANDLE WHILE"
    ).split()
)


@dataclasses.dataclass(frozen=True)
class Operator:
    """What the order depends on.

    Attributes:
      inputs: tensors read, in the operator's own order, without omitted ones.
      outputs: tensors written.
      pinned: it has effects beyond its outputs, so it keeps its place among the other pinned ones.
      key: sorts operators that nothing depends on; made of names, never of indices.
    """

    inputs: Sequence[int]
    outputs: Sequence[int]
    pinned: bool
    key: Any


def state_tensors(operators: Sequence[Operator], graph_inputs: Iterable[int]) -> set[int]:
    """Tensors with more than one value in a run: written twice, or read or given before written."""
    writes = Counter(tensor for operator in operators for tensor in operator.outputs)
    state = {tensor for tensor, count in writes.items() if count > 1}
    seen = set(graph_inputs)
    for operator in operators:
        seen.update(operator.inputs)
        state.update(tensor for tensor in operator.outputs if tensor in seen)
    return state


def canonical_order(
    operators: Sequence[Operator],
    graph_inputs: Sequence[int],
    graph_outputs: Sequence[int],
    variables: Collection[int],
) -> list[int]:
    """A valid order that depends on the graph alone, not on the order in which operators are given.

    It is the depth-first post-order from the graph's outputs, through each operator's inputs in
    turn: an operator comes right after what it needs, a weight's DEQUANTIZE right before the first
    operator that reads the weight. Operators with effects, and those that touch a tensor with more
    than one value in a run, keep their order among themselves: only the file knows it. Operators
    that no output needs come last, by key; ties keep the given order.

    Args:
      operators: in a valid order, as in a file.
      graph_inputs: the subgraph's input tensors.
      graph_outputs: the subgraph's output tensors, in their order.
      variables: tensors that keep their value between runs.

    Returns:
      Positions in `operators`.
    """
    state = state_tensors(operators, graph_inputs).union(variables)
    producer = {
        tensor: position
        for position, operator in enumerate(operators)
        for tensor in operator.outputs
        if tensor not in state
    }
    needs: list[list[int]] = []
    pinned: list[int] = []
    for position, operator in enumerate(operators):
        needs.append([producer[tensor] for tensor in operator.inputs if tensor in producer])
        if operator.pinned or not state.isdisjoint([*operator.inputs, *operator.outputs]):
            needs[position].extend(pinned[-1:])
            pinned.append(position)

    order: list[int] = []
    entered: set[int] = set()

    def emit(root: int) -> None:
        pending = [(root, False)]
        while pending:
            position, complete = pending.pop()
            if complete:
                order.append(position)
            elif position not in entered:
                entered.add(position)
                pending.append((position, True))
                pending.extend((needed, False) for needed in reversed(needs[position]))

    for tensor in graph_outputs:
        if tensor in producer:
            emit(producer[tensor])
    for position in pinned:
        emit(position)
    unneeded = [position for position in range(len(operators)) if position not in entered]
    inner = {needed for position in unneeded for needed in needs[position]}
    last = [position for position in unneeded if position not in inner]
    for position in sorted(last, key=lambda position: operators[position].key):
        emit(position)
    return order
