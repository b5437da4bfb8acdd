"""Checks the indices of buffers, tensors, operator codes and subgraphs in an unpacked .tflite."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file.schema import tflite


def listed(values: Any) -> list[int]:
    """Returns a vector of indices as a list; an absent vector is empty."""
    return [] if values is None else [int(value) for value in values]


def is_subgraph_field(name: str) -> bool:
    """Returns whether a builtin option, in either spelling, holds numbers of subgraphs."""
    joined = name.replace("_", "").lower()
    return joined == "subgraph" or joined.endswith(("subgraphindex", "subgraphindices"))


def subgraph_numbers(options: Mapping[str, Any]) -> list[int]:
    """Returns the numbers of subgraphs in builtin options; negative numbers mean none."""
    numbers: list[int] = []
    for name, value in options.items():
        if is_subgraph_field(name) and value is not None:
            numbers += np.atleast_1d(value).tolist()
    return numbers


def details_of(tensor: Any) -> Any:
    """Returns the part of a TensorT's quantization that has its scales in other tensors, or None.

    Its fields `scales` and `zeroPoints` are the numbers of these tensors.
    """
    details = tensor.quantization and tensor.quantization.details
    kinds = (tflite.BlockwiseQuantizationT, tflite.MultiAxisQuantizationT)
    return details if isinstance(details, kinds) else None


def check(model: Any, source: str) -> None:
    """Checks that every index is in range. The runtime crashes on others; a rewrite hides them.

    Args:
      model: a ModelT.
      source: the file's name, for messages.

    Raises:
      cli.UserError: an index is out of range.
    """

    def inside(indices: Sequence[int], lowest: int, count: int, what: str) -> None:
        for index in indices:
            if not lowest <= index < count:
                raise cli.UserError(
                    f"{source}: the model refers to {what} {index} but has {count} of them; "
                    "the file is damaged, get it again."
                )

    buffers = len(model.buffers or [])
    inside(listed(model.metadataBuffer), 0, buffers, "buffer")
    inside([entry.buffer for entry in model.metadata or []], 0, buffers, "buffer")
    for graph in model.subgraphs or []:
        tensors = len(graph.tensors or [])
        inside([tensor.buffer for tensor in graph.tensors or []], 0, buffers, "buffer")
        inside(listed(graph.inputs) + listed(graph.outputs), 0, tensors, "tensor")
        for op in graph.operators or []:
            inside([op.opcodeIndex], 0, len(model.operatorCodes or []), "operator code")
            used = listed(op.inputs) + listed(op.outputs) + listed(op.intermediates)
            inside(used, -1, tensors, "tensor")
            for options in (op.builtinOptions, op.builtinOptions2):
                numbers = subgraph_numbers(vars(options)) if options is not None else []
                inside(numbers, -1, len(model.subgraphs), "subgraph")
        for tensor in graph.tensors or []:
            details = details_of(tensor)
            if details is not None:
                inside([details.scales, details.zeroPoints], -1, tensors, "tensor")
    for signature in model.signatureDefs or []:
        inside([signature.subgraphIndex], 0, len(model.subgraphs or []), "subgraph")
        tensors = len(model.subgraphs[signature.subgraphIndex].tensors or [])
        entries = [*(signature.inputs or []), *(signature.outputs or [])]
        inside([entry.tensorIndex for entry in entries], 0, tensors, "tensor")
