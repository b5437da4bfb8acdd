"""Runs a model and keeps its inner values, which become outputs."""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.interpreter.ports import real
from reproducible_tflite.lib.quantization_error.outputs import with_outputs
from reproducible_tflite.lib.tflite_file.model import Model


class Network:
    """A model whose inner values are kept; one thread, TensorFlow Lite's own kernels.

    Attributes:
      inputs: its inputs, in the model's order.
    """

    def __init__(
        self,
        content: bytes,
        source: str,
        tensors: Sequence[int],
        seconds: float = math.inf,
        model: Model | None = None,
        operators: int | None = None,
    ) -> None:
        """Loads a model; see `outputs.with_outputs` and `Interpreter`.

        An action has no limit of time by default: on an emulated processor, it takes hours.
        """
        content = with_outputs(content, source, tensors, operators)
        self._interpreter = Interpreter(
            content, source, xnnpack=False, model=model, seconds=seconds
        )
        self.inputs = self._interpreter.inputs

    @property
    def shapes(self) -> dict[int, tuple[int, ...]]:
        """The shapes of inputs and outputs, by tensor."""
        ports = (*self._interpreter.inputs, *self._interpreter.outputs)
        return {port.index: port.shape for port in ports}

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

    def all_stored(self, indices: Collection[int]) -> dict[int, np.ndarray]:
        """Returns several of the last run's values at once; see `stored`."""
        return dict(zip(indices, self._interpreter.tensors(indices), strict=True))

    def real(self, index: int) -> np.ndarray:
        """Returns the last run's value as real numbers, float64; see `stored`."""
        tensor = self._interpreter.model.subgraphs[0].tensors[index]
        return real(self.stored(index), *tensor.scaling)
