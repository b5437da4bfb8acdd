"""The canonical order of a subgraph's operators.

TensorFlow Lite runs operators in the file's order. A converter may choose any order in which every
operator comes after those that it reads from; TensorFlow 1.15 uses the order of a hash map.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

# Operators with effects beyond their outputs, or with unknown effects (those that run subgraphs).
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
    """The properties of an operator that the order depends on.

    Attributes:
      inputs: the tensors it reads, in its own order, without omitted ones.
      outputs: the tensors it writes.
      pinned: whether it has effects beyond its outputs and must keep its place among the pinned.
      key: sorts operators that nothing depends on; built from names, never from indices.
    """

    inputs: Sequence[int]
    outputs: Sequence[int]
    pinned: bool
    key: Any


def state_tensors(operators: Sequence[Operator], graph_inputs: Iterable[int]) -> set[int]:
    """Returns tensors with several values in a run: written twice, or read or given before that."""
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
    """Returns a valid order that depends on the graph alone, not on the given order of operators.

    It is the depth-first post-order from the graph's outputs, through each operator's inputs in
    turn. So an operator comes right after its producers, and a weight's DEQUANTIZE right before the
    first operator that reads the weight. Operators with effects, and those that touch a tensor with
    several values in a run, keep their order among themselves, which only the file states.
    Operators that no output needs come last, by key; ties keep the given order.

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
