"""Lays the same model out as another writer could."""

import random
from typing import Any

import numpy as np

from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import generated, models


def _shuffled(count: int, rng: random.Random) -> list[int]:
    return rng.sample(range(count), count)


def _touched(indices: Any) -> list[int]:
    return [] if indices is None else [int(index) for index in indices if index >= 0]


def _shuffle_operators(model: tflite.ModelT, graph: tflite.SubGraphT, rng: random.Random) -> None:
    """Returns another order, valid for inputs and for operators with effects."""
    waiting, order = list(graph.operators), []
    variables = {index for index, tensor in enumerate(graph.tensors) if tensor.isVariable}
    # An input of the graph that an operator overwrites has two values.
    variables.update(_touched(graph.inputs))
    written = {tensor for op in waiting for tensor in _touched(op.outputs)}
    variables &= written.union(i for i, tensor in enumerate(graph.tensors) if tensor.isVariable)

    def in_place(op: tflite.OperatorT) -> bool:
        code = model.operatorCodes[op.opcodeIndex]
        touched = {*_touched(op.inputs), *_touched(op.outputs)}
        effects = max(code.builtinCode, code.deprecatedBuiltinCode) in generated.EFFECTS
        return effects or not variables.isdisjoint(touched)

    while waiting:
        missing = {tensor for op in waiting for tensor in _touched(op.outputs)}
        first = next((op for op in waiting if in_place(op)), None)
        ready = [
            op
            for op in waiting
            if (op is first or not in_place(op))
            and (missing - variables).isdisjoint(_touched(op.inputs))
        ]
        order.append(rng.choice(ready))
        waiting = [op for op in waiting if op is not order[-1]]
    graph.operators = order


def _shuffle_tensors(model: tflite.ModelT, position: int, rng: random.Random) -> None:
    graph = model.subgraphs[position]
    place = _shuffled(len(graph.tensors), rng)
    tensors = dict(zip(place, graph.tensors, strict=True))
    graph.tensors = [tensors[index] for index in range(len(place))]
    move = np.array([*place, -1], np.int32)
    for owner in [graph, *graph.operators]:
        for field in ("inputs", "outputs", "intermediates"):
            if getattr(owner, field, None) is not None:
                setattr(owner, field, move[getattr(owner, field)])
    for signature in model.signatureDefs or []:
        rng.shuffle(signature.inputs)
        rng.shuffle(signature.outputs)
        if signature.subgraphIndex == position:
            for entry in [*signature.inputs, *signature.outputs]:
                entry.tensorIndex = int(move[entry.tensorIndex])


def _shuffle_codes(model: tflite.ModelT, rng: random.Random) -> None:
    """Puts operator codes in another order, some of them twice."""
    model.operatorCodes = model.operatorCodes + rng.choices(model.operatorCodes, k=2)
    place = _shuffled(len(model.operatorCodes), rng)
    codes = dict(zip(place, model.operatorCodes, strict=True))
    model.operatorCodes = [codes[index] for index in range(len(place))]
    for graph in model.subgraphs:
        for op in graph.operators:
            op.opcodeIndex = place[op.opcodeIndex]


def _shuffle_buffers(model: tflite.ModelT, rng: random.Random) -> None:
    """Puts buffers in another order; those that no run changes may be copied or shared."""
    count = len(model.buffers)
    model.buffers = model.buffers + model.buffers[1:]
    place = [0, *(1 + index for index in _shuffled(len(model.buffers) - 1, rng))]
    buffers = dict(zip(place, model.buffers, strict=True))
    model.buffers = [buffers[index] for index in range(len(place))]

    def copied(index: int) -> int:
        return index + count - 1 if index and rng.random() < 0.5 else index

    for tensor in [tensor for graph in model.subgraphs for tensor in graph.tensors]:
        tensor.buffer = place[tensor.buffer if tensor.isVariable else copied(tensor.buffer)]
    for entry in model.metadata or []:
        entry.buffer = place[copied(entry.buffer)]
    if model.metadataBuffer is not None:
        moved = [place[copied(int(index))] for index in model.metadataBuffer]
        model.metadataBuffer = np.array(moved, np.int32)


def reordered(value: Any, rng: random.Random) -> Any:
    """Returns an equal FlexBuffer value with the keys of its maps in another order."""
    if isinstance(value, dict):
        keys = rng.sample(list(value), len(value))
        return {key: reordered(value[key], rng) for key in keys}
    if isinstance(value, list):
        return [reordered(item, rng) for item in value]
    return value


def _shuffle_options(graph: tflite.SubGraphT, rng: random.Random) -> None:
    for op in graph.operators:
        if getattr(op, "options_value", None) is not None:
            op.customOptions = generated.custom_options(reordered(op.options_value, rng))


def relaid(model: tflite.ModelT, seed: int) -> bytes:
    """Returns a file of equal meaning, with as much as possible in another order. Changes `model`.

    Args:
      model: every tensor is written once, before anything reads it, or touched only by operators
        that have effects.
      seed: decides which order.
    """
    rng = random.Random(seed)
    for position, graph in enumerate(model.subgraphs):
        _shuffle_operators(model, graph, rng)
        _shuffle_tensors(model, position, rng)
        _shuffle_options(graph, rng)
    _shuffle_codes(model, rng)
    _shuffle_buffers(model, rng)
    rng.shuffle(model.metadata or [])
    return models.pack(model)
