"""Turns inner tensors of a model into outputs, and runs it.

TensorFlow Lite's own `experimental_preserve_all_tensors` is not enough: an operator that works in
place, such as ADD on floats in 2.15.1, still overwrites its input. Outputs of the model keep their
values.
"""

import math
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.interpreter.ports import real
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


class Network:
    """A model whose inner values are kept; one thread, TensorFlow Lite's own kernels.

    Attributes:
      inputs: its inputs, in the model's order.
    """

    def __init__(
        self, content: bytes, source: str, tensors: Sequence[int], seconds: float = math.inf
    ) -> None:
        """Loads a model; see `with_outputs` and `Interpreter`.

        An action has no limit of time by default: on an emulated processor, it takes hours.
        """
        content = with_outputs(content, source, tensors)
        self._interpreter = Interpreter(content, source, xnnpack=False, seconds=seconds)
        self.inputs = self._interpreter.inputs

    def resize(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Changes the shapes of inputs, by name; see `Interpreter.resize`."""
        self._interpreter.resize(shapes)
        self.inputs = self._interpreter.inputs

    def run(self, values: Sequence[np.ndarray]) -> None:
        """Runs the model on real numbers, an array per input; quantized inputs round them."""
        self._interpreter.set_inputs(
            [port.stored(value) for port, value in zip(self.inputs, values, strict=True)]
        )
        self._interpreter.invoke()

    def stored(self, index: int) -> np.ndarray:
        """Returns the last run's value of an output or one of `tensors`, as it is stored."""
        return self._interpreter.tensor(index)

    def real(self, index: int) -> np.ndarray:
        """Returns the last run's value as real numbers, float64; see `stored`."""
        tensor = self._interpreter.model.subgraphs[0].tensors[index]
        return real(self.stored(index), *tensor.scaling)
