"""Makes a model give what lies between its layers, and runs it.

TensorFlow Lite's own way, `experimental_preserve_all_tensors`, does not do: an operator that works
in place, as ADD on floats in 2.15.1, still writes over its input, which then holds the sum. What is
an output of the model is kept as it was.
"""

import struct
from collections.abc import Sequence

import numpy as np

from tools.lib.cli import cli
from tools.lib.interpreter.interpreter import Interpreter, real
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


class Network:
    """A model that can be looked into after a run: on one thread, with TensorFlow Lite's kernels.

    Attributes:
      inputs: its inputs in the model's order.
    """

    def __init__(self, content: bytes, source: str, tensors: Sequence[int]) -> None:
        """Loads a model; see `with_outputs` and `Interpreter`."""
        content = with_outputs(content, source, tensors)
        self._interpreter = Interpreter(content, source, xnnpack=False)
        self.inputs = self._interpreter.inputs

    def run(self, values: Sequence[np.ndarray]) -> None:
        """Runs it on real numbers, an array for each input; a quantized input rounds them."""
        self._interpreter.set_inputs(
            [port.stored(value) for port, value in zip(self.inputs, values, strict=True)]
        )
        self._interpreter.invoke()

    def stored(self, index: int) -> np.ndarray:
        """Returns what the last run left in an output or one of `tensors`, as it is stored."""
        return self._interpreter.tensor(index)

    def real(self, index: int) -> np.ndarray:
        """Returns the real numbers, float64, that `stored` stands for."""
        tensor = self._interpreter.model.subgraphs[0].tensors[index]
        return real(self.stored(index), *tensor.scaling)
