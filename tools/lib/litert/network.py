"""Runs a model in LiteRT and keeps its inner values, which become outputs.

LiteRT has kernels that TensorFlow Lite's last interpreter lacks, such as those for weights of 4
bits in blocks. It trusts its file, so a caller reads the file first, and runs a foreign one in a
child process.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from ai_edge_litert import interpreter as litert

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import ports
from reproducible_tflite.lib.quantization_error.outputs import with_outputs
from reproducible_tflite.lib.tflite_file.model import Model


class Network:
    """A model whose inner values are kept; one thread, without XNNPACK.

    Attributes:
      model: the contents of the file.
      inputs: its inputs, in the model's order.
    """

    def __init__(
        self,
        content: bytes,
        model: Model,
        tensors: Sequence[int],
        *,
        reference: bool = False,
    ) -> None:
        """Loads a model.

        Args:
          content: the whole file.
          model: its contents, from `reader.read`.
          tensors: the inner tensors to keep, by number.
          reference: whether its operators compute as simply as they can, always in the same order.

        Raises:
          cli.UserError: LiteRT cannot prepare the model.
        """
        self.model = model
        resolver = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        if reference:
            resolver = litert.OpResolverType.BUILTIN_REF
        try:
            self._interpreter = litert.Interpreter(
                model_content=with_outputs(content, model.source, tensors),
                num_threads=1,
                experimental_op_resolver_type=resolver,
            )
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise cli.UserError(
                f"{model.source}: LiteRT cannot prepare the model: {cli.first_line(error)}."
            ) from error
        graph = model.subgraphs[0]
        self.inputs = tuple(
            ports.of(
                graph.tensors[detail["index"]],
                tuple(int(length) for length in detail["shape"]),
                np.dtype(detail["dtype"]),
            )
            for detail in self._interpreter.get_input_details()
        )

    def run(self, values: Sequence[np.ndarray]) -> None:
        """Runs the model on real numbers, an array per input; quantized inputs round them.

        Raises:
          cli.UserError: the arrays do not fit, or an operator fails.
        """
        try:
            for port, value in zip(self.inputs, values, strict=True):
                self._interpreter.set_tensor(port.index, port.stored(value))
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise cli.UserError(
                f"{self.model.source}: the model does not run in LiteRT: {cli.first_line(error)}."
            ) from error

    def stored(self, index: int) -> np.ndarray:
        """Returns the last run's value of an output or one of `tensors`, as it is stored."""
        return self._interpreter.get_tensor(index)

    def real(self, index: int) -> np.ndarray:
        """Returns the last run's value as real numbers, float64; see `stored`."""
        tensor = self.model.subgraphs[0].tensors[index]
        return ports.real(self.stored(index), *tensor.scaling)


def by_input(model: Model) -> Mapping[str, int]:
    """Returns the inputs' tensors by all their names: the tensors' and those of the signature.

    Args:
      model: of which the first subgraph is looked at.
    """
    graph = model.subgraphs[0]
    names = {}
    for index in graph.inputs:
        name = graph.tensors[index].name
        names[name] = names[name.removesuffix(":0")] = index
    for signature in model.signatures:
        if signature.subgraph == 0:
            names.update(signature.inputs)
    return names
