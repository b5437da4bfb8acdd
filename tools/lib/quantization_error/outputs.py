"""Turns inner tensors of a model into outputs, so that they keep their values in a run.

TensorFlow Lite's own `experimental_preserve_all_tensors` is not enough: an operator that works in
place, such as ADD on floats in 2.15.1, still overwrites its input. Outputs of the model keep their
values.
"""

import struct
from collections.abc import Sequence

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file.schema import tflite

# Where a subgraph's vtable has the offset of its outputs (schema.fbs: field 2).
_OUTPUTS = 4 + 2 * 2


def with_outputs(content: bytes, source: str, tensors: Sequence[int]) -> bytes:
    """Returns a model with further outputs after its own; everything else keeps its place.

    Args:
      content: a .tflite that `reader.read` accepts.
      source: its name, for messages.
      tensors: tensors of the first subgraph, by number.

    Raises:
      cli.UserError: the model has no outputs.
    """
    graph = tflite.Model.GetRootAs(content).Subgraphs(0)
    if graph.OutputsIsNone():
        raise cli.UserError(f"{source}: the model has no outputs; there is nothing to compare.")
    outputs = list(dict.fromkeys([*graph.OutputsAsNumpy().tolist(), *tensors]))
    extended = bytearray(content)
    # A vector's offset is relative, so the new list can lie at the end of the file.
    extended += bytes(-len(extended) % 4)
    field = graph._tab.Pos + graph._tab.Offset(_OUTPUTS)
    struct.pack_into("<I", extended, field, len(extended) - field)
    return bytes(extended) + struct.pack(f"<I{len(outputs)}i", len(outputs), *outputs)
