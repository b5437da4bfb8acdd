"""TensorFlow Lite's interpreter in this process, or LiteRT's, which trusts the model.

`interpreter.Interpreter` runs this in a child process.
"""

import contextlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import reproducible_tflite.lib.tensorflow_parts.deferred  # noqa: F401

import numpy as np
from ai_edge_litert import interpreter as litert
from tensorflow.lite.python import interpreter as tensorflow_lite

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import ports
from reproducible_tflite.lib.interpreter.ports import Port
from reproducible_tflite.lib.tflite_file import model as inspected
from reproducible_tflite.lib.tflite_file.schema import tflite

_TENSORFLOW = (tensorflow_lite.Interpreter, tensorflow_lite.OpResolverType)
_LITERT = (litert.Interpreter, litert.OpResolverType)
# Where tables have the offsets of their strings (schema.fbs).
_TENSOR_NAME, _MAP_NAME, _SIGNATURE_KEY = (4 + 2 * field for field in (3, 0, 2))


def _error(context: str, error: Exception) -> cli.UserError:
    """Returns the sentence for whatever the interpreter raises."""
    if isinstance(error, MemoryError):
        return cli.UserError(
            f"{context}: it asks for more memory than there is; give a smaller model."
        )
    return cli.UserError(f"{context}: {cli.first_line(error)}.")


@contextlib.contextmanager
def _errors(context: str) -> Iterator[None]:
    """Turns whatever the interpreter raises into a `cli.UserError` that begins with a context."""
    try:
        yield
    except Exception as error:
        raise _error(context, error) from error


def _strings(model: Any) -> Iterator[tuple[Any, int]]:
    """Yields the tables whose strings the interpreter decodes, with the strings' fields."""
    for number in range(model.SubgraphsLength()):
        graph = model.Subgraphs(number)
        for index in range(graph.TensorsLength()):
            yield graph.Tensors(index)._tab, _TENSOR_NAME
    for number in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(number)
        yield signature._tab, _SIGNATURE_KEY
        for index in range(signature.InputsLength()):
            yield signature.Inputs(index)._tab, _MAP_NAME
        for index in range(signature.OutputsLength()):
            yield signature.Outputs(index)._tab, _MAP_NAME


def with_readable_names(content: bytes) -> bytes:
    """Returns a model whose names are UTF-8: "?" replaces every byte of those that are not."""
    changed = bytearray(content)
    for table, field in _strings(tflite.Model.GetRootAs(content)):
        offset = table.Offset(field)
        if not offset:
            continue
        start = table.Indirect(table.Pos + offset) + 4
        (length,) = struct.unpack_from("<I", content, start - 4)
        try:
            content[start : start + length].decode("utf-8")
        except UnicodeDecodeError:
            changed[start : start + length] = b"?" * length
    return bytes(changed)


def _needs_litert(model: inspected.Model) -> bool:
    """Returns whether a model has weights for which only LiteRT has right kernels.

    These are weights of less than a byte or in blocks, and those of a fully connected layer with a
    scale for each channel, from which TensorFlow Lite 2.15.1 silently computes something else.
    """
    for graph in model.subgraphs:
        for operator in graph.operators:
            for tensor in (graph.tensors[index] for index in operator.inputs if index >= 0):
                scales = tensor.quantization.scale.size if tensor.quantization else 0
                in_blocks = tensor.quantization and tensor.quantization.details is not None
                per_channel = operator.name == "FULLY_CONNECTED" and scales > 1
                if tensor.dtype in inspected.PACKED or in_blocks or per_channel:
                    return True
    return False


class Runtime:
    """A model in the interpreter. `Interpreter` describes the methods that both have.

    Attributes:
      inputs: its inputs in the model's order.
      outputs: its outputs likewise.
    """

    def __init__(
        self,
        content: bytes,
        source: str,
        model: inspected.Model,
        threads: int,
        xnnpack: bool,
        delegates: Sequence[Any] = (),
    ) -> None:
        """Loads a model.

        Args:
          content: the whole file.
          source: see `Interpreter`.
          model: the result of `reader.read` on the content.
          threads: see `Interpreter`.
          xnnpack: see `Interpreter`.
          delegates: as tf.lite.Interpreter takes them; they come before XNNPACK.

        Raises:
          cli.UserError: the interpreter lacks an operator, or cannot prepare the model.
        """
        self._source = source
        self._tensors = model.subgraphs[0].tensors
        interpreter, resolver = _LITERT if _needs_litert(model) else _TENSORFLOW

        def load(file: bytes) -> None:
            self._interpreter = interpreter(
                model_content=file,
                num_threads=threads,
                experimental_op_resolver_type=resolver.BUILTIN
                if xnnpack
                else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_delegates=list(delegates),
            )
            self._interpreter.allocate_tensors()
            self._describe()

        with _errors(f"{source}: the model cannot be loaded"):
            try:
                load(content)
            except (SystemError, UnicodeDecodeError):
                # Only the Python interface needs names in UTF-8.
                load(with_readable_names(content))

    def _describe(self) -> None:
        details = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self.inputs, self.outputs = (tuple(map(self._port, side)) for side in details)

    def _port(self, details: Mapping[str, Any]) -> Port:
        shape = tuple(int(length) for length in details["shape"])
        return ports.of(self._tensors[details["index"]], shape, np.dtype(details["dtype"]))

    def ports(self) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        """Returns the inputs and outputs."""
        return self.inputs, self.outputs

    def set_inputs(self, values: Sequence[np.ndarray]) -> None:
        """Gives the model an array of the right type and shape for each input, in its order."""
        with _errors(f"{self._source}: the model does not take its inputs"):
            for port, value in zip(self.inputs, values, strict=True):
                self._interpreter.set_tensor(port.index, value)

    def invoke(self) -> None:
        """Runs the model on the inputs that were set."""
        # A `with` would take a microsecond of what a benchmark measures.
        try:
            self._interpreter.invoke()
        except Exception as error:
            raise _error(f"{self._source}: the model does not run", error) from error

    def tensors(self, indices: Sequence[int]) -> list[np.ndarray]:
        """Returns copies of inputs or outputs after the last run, as they are stored."""
        values = []
        for index in indices:
            with _errors(f"{self._source}: tensor {index} has no values"):
                values.append(self._interpreter.get_tensor(index))
        return values

    def resize(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Changes the shapes of inputs, by name, and prepares the model again."""
        indices = {port.name: port.index for port in self.inputs}
        wanted = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        with _errors(f"{self._source}: cannot take {wanted}"):
            for name, shape in shapes.items():
                self._interpreter.resize_tensor_input(indices[name], list(shape))
            self._interpreter.allocate_tensors()
            self._describe()
