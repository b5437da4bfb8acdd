"""Runs any .tflite in TensorFlow Lite's interpreter, even a foreign or hostile one.

The interpreter trusts its file: a damaged one can crash the process. So `tflite_file.reader` checks
the file first, and a file that claims too much memory is refused.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tools.lib.cli import cli
from tools.lib.tflite_file import model as inspected
from tools.lib.tflite_file import reader

# All tensors of the largest published model take less than 2 GB together.
_MAXIMUM_BYTES = 16 << 30
# What the interpreter raises; ValueError also for an input of another shape or type.
_ERRORS = (RuntimeError, ValueError, TypeError, MemoryError)


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output of a model.

    Attributes:
      index: its tensor's number.
      name: its tensor's name.
      shape: its shape.
      dtype: the type of its elements.
      scale: the real number for a step of 1 in a stored integer; 0.0 for an unquantized tensor.
      zero_point: the stored integer that stands for 0.0.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float
    zero_point: int

    def stored(self, values: np.ndarray) -> np.ndarray:
        """Returns real numbers as the tensor stores them: rounded and clipped when quantized.

        Args:
          values: real numbers, in any shape.

        Returns:
          An array of `dtype` in the same shape.
        """
        if not self.scale:
            return values.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.rint(values / self.scale) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def real(self, stored: np.ndarray) -> np.ndarray:
        """Returns the real numbers that stored ones stand for, float64 in the same shape."""
        return real(stored, self.scale, self.zero_point)


def real(stored: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Returns (stored - zero_point) * scale, float64; for scale 0.0 the stored numbers."""
    values = stored.astype(np.float64)
    # A hostile file's scale may be infinite.
    with np.errstate(all="ignore"):
        return (values - zero_point) * scale if scale else values


def _claimed_bytes(graph: inspected.Subgraph) -> int:
    """Returns the bytes of all tensors whose values are not in the file, if none share memory."""
    return sum(
        math.prod(max(length, 1) for length in tensor.shape)
        * inspected.DTYPES.get(tensor.dtype, np.dtype("u1")).itemsize
        for tensor in graph.tensors
        if tensor.role != "constant"
    )


class Interpreter:
    """A model that can be run any number of times.

    Attributes:
      model: the contents of the file.
      source: the file's name, for messages.
      inputs: its inputs in the model's order.
      outputs: its outputs likewise.
    """

    def __init__(
        self,
        content: bytes,
        source: str,
        threads: int = 1,
        xnnpack: bool = True,
        model: inspected.Model | None = None,
        delegates: Sequence[Any] = (),
    ) -> None:
        """Loads a model.

        Args:
          content: the whole file, untrusted.
          source: its name, for messages.
          threads: how many threads compute.
          xnnpack: whether to use XNNPACK's kernels where it has some.
          model: the result of `reader.read` on the content, if there is one already.
          delegates: as tf.lite.Interpreter takes them; they come before XNNPACK.

        Raises:
          cli.UserError: the content is not a sound .tflite, claims more than 16 GiB of memory,
            needs an operator that the interpreter lacks, or cannot be prepared.
        """
        self.source = source
        self.model = model or reader.read(content, source)
        if not self.model.subgraphs or not self.model.subgraphs[0].operators:
            raise cli.UserError(f"{source}: the model has no operators; there is nothing to run.")
        claimed = _claimed_bytes(self.model.subgraphs[0])
        if claimed > _MAXIMUM_BYTES:
            raise cli.UserError(
                f"{source}: the model's tensors claim {claimed / (1 << 30):,.0f} GiB; the file is"
                " damaged or not meant to be run, so give another one."
            )
        resolver = tf.lite.experimental.OpResolverType
        try:
            self._interpreter = tf.lite.Interpreter(
                model_content=content,
                num_threads=threads,
                experimental_op_resolver_type=resolver.BUILTIN
                if xnnpack
                else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_delegates=list(delegates),
            )
            self._interpreter.allocate_tensors()
            self.inputs = tuple(map(_port, self._interpreter.get_input_details()))
            self.outputs = tuple(map(_port, self._interpreter.get_output_details()))
        except _ERRORS as error:
            raise cli.UserError(
                f"{source}: the model cannot be loaded: {cli.first_line(error)}."
            ) from error

    def set_inputs(self, values: Mapping[str, np.ndarray] | Sequence[np.ndarray]) -> None:
        """Gives the model its inputs.

        Args:
          values: an array for each input, by name or in the model's order, of its type and shape.

        Raises:
          cli.UserError: an array is missing, or has another type or shape.
        """
        if isinstance(values, Mapping):
            missing = [port.name for port in self.inputs if port.name not in values]
            if missing:
                raise cli.UserError(f"{self.source}: no value is given for {', '.join(missing)}.")
            values = [values[port.name] for port in self.inputs]
        if len(values) != len(self.inputs):
            raise cli.UserError(
                f"{self.source}: takes {len(self.inputs)} inputs, but {len(values)} are given."
            )
        for port, value in zip(self.inputs, values, strict=True):
            if value.shape != port.shape or value.dtype != port.dtype:
                raise cli.UserError(
                    f"{self.source}: {port.name} takes {port.dtype} {list(port.shape)}, but"
                    f" {value.dtype} {list(value.shape)} is given."
                )
            self._interpreter.set_tensor(port.index, value)

    def invoke(self) -> None:
        """Runs the model on the inputs that were set.

        Raises:
          cli.UserError: an operator fails.
        """
        try:
            self._interpreter.invoke()
        except _ERRORS as error:
            raise cli.UserError(
                f"{self.source}: the model does not run: {cli.first_line(error)}."
            ) from error

    def output_values(self) -> list[np.ndarray]:
        """Returns copies of the last run's outputs, in the model's order, as they are stored."""
        return [self._interpreter.get_tensor(port.index) for port in self.outputs]

    def run(self, values: Mapping[str, np.ndarray] | Sequence[np.ndarray]) -> list[np.ndarray]:
        """Sets the inputs, runs, and returns the outputs; see `set_inputs` and `output_values`."""
        self.set_inputs(values)
        self.invoke()
        return self.output_values()

    def tensor(self, index: int) -> np.ndarray:
        """Returns a copy of an input or output after the last run, as it is stored.

        Other tensors are refused: their memory may hold other values after a run, even with
        TensorFlow Lite's `experimental_preserve_all_tensors`, since an operator that works in place
        overwrites its input.

        Args:
          index: its number, as in `inspected.Tensor.index`.

        Raises:
          cli.UserError: the tensor is not an input or output, or has no values.
        """
        if index not in [port.index for port in (*self.inputs, *self.outputs)]:
            raise cli.UserError(
                f"{self.source}: tensor {index} is not kept; only inputs and outputs are."
            )
        try:
            return self._interpreter.get_tensor(index)
        except _ERRORS as error:
            raise cli.UserError(
                f"{self.source}: tensor {index} has no values: {cli.first_line(error)}."
            ) from error

    def resize(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Changes the shapes of inputs and prepares the model again.

        Args:
          shapes: new shapes by input name; inputs without an entry keep theirs.

        Raises:
          cli.UserError: there is no such input, or the model cannot take these shapes.
        """
        ports = {port.name: port for port in self.inputs}
        try:
            for name, shape in shapes.items():
                if name not in ports:
                    raise cli.UserError(f"{self.source}: has no input {name}.")
                self._interpreter.resize_tensor_input(ports[name].index, list(shape))
            self._interpreter.allocate_tensors()
        except _ERRORS as error:
            wanted = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
            raise cli.UserError(
                f"{self.source}: cannot take {wanted}: {cli.first_line(error)}."
            ) from error
        self.inputs = tuple(map(_port, self._interpreter.get_input_details()))
        self.outputs = tuple(map(_port, self._interpreter.get_output_details()))


def _port(details: Mapping) -> Port:
    scale, zero_point = details["quantization"]
    return Port(
        index=int(details["index"]),
        name=details["name"],
        shape=tuple(int(length) for length in details["shape"]),
        dtype=np.dtype(details["dtype"]),
        scale=float(scale),
        zero_point=int(zero_point),
    )
