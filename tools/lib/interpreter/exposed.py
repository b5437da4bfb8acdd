"""Makes a model give what lies between its layers.

TensorFlow Lite's own way, `experimental_preserve_all_tensors`, does not do: an operator that works
in place, as ADD on floats in 2.15.1, still writes over its input, which then holds the sum. What is
an output of the model is kept as it was.
"""

import struct
from collections.abc import Sequence

from tools.lib.cli import cli
from tools.lib.tflite_file.schema import tflite

# Where a subgraph's table says where its list of outputs lies (schema.fbs: field 2).
_OUTPUTS = 4 + 2 * 2


def with_outputs(content: bytes, source: str, tensors: Sequence[int]) -> bytes:
    """Returns a model with further outputs behind those that it has; all else stays in its place.

    Args:
      content: a file that `reader.read` found sound.
      source: its name, for messages.
      tensors: tensors of the first subgraph, by number.

    Raises:
      cli.UserError: it has no outputs.
    """
    graph = tflite.Model.GetRootAs(content).Subgraphs(0)
    if graph.OutputsIsNone():
        raise cli.UserError(f"{source}: the model has no outputs; there is nothing to compare.")
    outputs = list(dict.fromkeys([*graph.OutputsAsNumpy().tolist(), *tensors]))
    made = bytearray(content)
    # A list is found by its distance, so it may as well lie behind everything else.
    made += bytes(-len(made) % 4)
    field = graph._tab.Pos + graph._tab.Offset(_OUTPUTS)
    struct.pack_into("<I", made, field, len(made) - field)
    return bytes(made) + struct.pack(f"<I{len(outputs)}i", len(outputs), *outputs)
