"""Turns inner tensors of a model into outputs, so that they keep their values in a run.

TensorFlow Lite's own `experimental_preserve_all_tensors` is not enough: an operator that works in
place, such as ADD on floats in 2.15.1, still overwrites its input. Outputs of the model keep their
values.
"""

import struct
from collections.abc import Sequence

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file.schema import tflite

# Where a subgraph's vtable has the offsets of its outputs and operators (schema.fbs).
_OUTPUTS, _OPERATORS = 4 + 2 * 2, 4 + 2 * 3


def with_outputs(
    content: bytes, source: str, tensors: Sequence[int], operators: int | None = None
) -> bytes:
    """Returns a model with further outputs after its own; everything else keeps its place.

    Args:
      content: a .tflite that `reader.read` accepts.
      source: its name, for messages.
      tensors: tensors of the first subgraph, by number.
      operators: how many operators to keep, the first ones; then `tensors` are the only outputs.
        None keeps all.

    Raises:
      cli.UserError: the model has no outputs.
    """
    graph = tflite.Model.GetRootAs(content).Subgraphs(0)
    if graph.OutputsIsNone():
        raise cli.UserError(f"{source}: the model has no outputs; there is nothing to compare.")
    own = graph.OutputsAsNumpy().tolist() if operators is None else []
    outputs = list(dict.fromkeys([*own, *tensors]))
    extended = bytearray(content)
    if operators is not None:
        field = graph._tab.Pos + graph._tab.Offset(_OPERATORS)
        struct.pack_into("<I", extended, graph._tab.Indirect(field), operators)
    # A vector's offset is relative, so the new list can lie at the end of the file.
    extended += bytes(-len(extended) % 4)
    field = graph._tab.Pos + graph._tab.Offset(_OUTPUTS)
    struct.pack_into("<I", extended, field, len(extended) - field)
    extended += struct.pack(f"<I{len(outputs)}i", len(outputs), *outputs)
    return bytes(extended)
