"""Names and orders the ends of a .tflite as the MLIR converter returned it."""

from collections.abc import Sequence
from typing import Any

from reproducible_tflite.lib.signature import signature


def with_names(model: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """Gives a model's inputs and outputs the names that they have in the graph.

    The int8 inputs and outputs of a quantization-aware graph get the names of the ops next to them,
    since the converter first makes a float model and then removes its ends.

    Args:
      model: a .tflite as a converter returned it.
      inputs: the inputs' names, in order.
      outputs: the outputs' names, in order.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    root = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    subgraph = root.subgraphs[0]
    for indices, names in ((subgraph.inputs, inputs), (subgraph.outputs, outputs)):
        for index, name in zip(indices, names, strict=True):
            subgraph.tensors[index].name = name
    return bytes(flatbuffer_utils.convert_object_to_bytearray(root))


def with_order_of_signature(
    model: bytes,
    inputs: Sequence[signature.End],
    outputs: Sequence[signature.End],
    rename: bool,
) -> bytes:
    """Orders a model's inputs and outputs, which the converter takes from a hash map.

    Args:
      model: a .tflite with one signature, as a converter returned it.
      inputs: the inputs of the signature, in order.
      outputs: the outputs of the signature, in order.
      rename: whether they also get the names of their arrays, see `with_names`.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    root = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    (stored,) = root.signatureDefs
    subgraph = root.subgraphs[stored.subgraphIndex]
    changed = rename
    for key, ends in (("inputs", inputs), ("outputs", outputs)):
        indices = {entry.name.decode("utf-8"): entry.tensorIndex for entry in getattr(stored, key)}
        order = [indices[end.name] for end in ends]
        changed = changed or order != list(getattr(subgraph, key))
        setattr(subgraph, key, order)
        for end in ends if rename else ():
            subgraph.tensors[indices[end.name]].name = end.array
    return bytes(flatbuffer_utils.convert_object_to_bytearray(root)) if changed else model


def without_signatures(model: bytes) -> bytes:
    """Removes a model's signatures, which TensorFlow before 2.5 did not write."""
    from tensorflow.lite.tools import flatbuffer_utils

    root = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    root.signatureDefs = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(root))


def _order_outputs(subgraph: Any) -> dict[int, int]:
    """Orders the end of one subgraph, in place; returns the tensors' new numbers by their old."""
    places = {index: place for place, index in enumerate(subgraph.outputs)}
    last: list[Any] = []
    read: set[int] = set()
    for operator in reversed(subgraph.operators):
        if len(operator.outputs) != 1 or operator.outputs[0] not in places.keys() - read:
            break
        last.append(operator)
        read.update(operator.inputs)
    if len(last) < 2:
        return {}
    last.sort(key=lambda operator: places[operator.outputs[0]])
    subgraph.operators[-len(last) :] = last
    # Tensors and buffers are numbered in the order of the operators.
    output_indices = [int(operator.outputs[0]) for operator in last]
    new_indices = dict(zip(output_indices, sorted(output_indices), strict=True))
    tensors = [subgraph.tensors[index] for index in output_indices]
    buffers = sorted(tensor.buffer for tensor in tensors)
    for index, tensor, buffer in zip(sorted(output_indices), tensors, buffers, strict=True):
        subgraph.tensors[index], tensor.buffer = tensor, buffer
    for operator in last:
        operator.outputs = [new_indices[index] for index in operator.outputs]
    subgraph.outputs = [new_indices.get(index, index) for index in subgraph.outputs]
    return new_indices


def with_ordered_outputs(model: bytes) -> bytes:
    """Sorts the operators at the end of a model, and of its branches, by the outputs they write.

    If an operator has several outputs, the quantizer of post-training quantization adds their
    dequantizations in an order that differs from run to run.

    Args:
      model: a .tflite as a converter returned it.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    root = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    new_indices = [_order_outputs(subgraph) for subgraph in root.subgraphs]
    if not any(new_indices):
        return model
    for stored in root.signatureDefs or []:
        renumbered = new_indices[stored.subgraphIndex]
        for entry in stored.outputs or []:
            entry.tensorIndex = renumbered.get(entry.tensorIndex, entry.tensorIndex)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(root))
