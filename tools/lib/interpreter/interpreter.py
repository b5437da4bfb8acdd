"""Runs any .tflite in TensorFlow Lite's interpreter, even a foreign or hostile one.

The interpreter trusts its file. So `tflite_file.reader` checks the file first, a file that claims
too much memory is refused, and the model runs in a child process with limits of memory and time.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import child
from reproducible_tflite.lib.tflite_file import model as inspected
from reproducible_tflite.lib.tflite_file import reader


def check(model: inspected.Model, source: str) -> None:
    """Checks that a model has something to run, and does not claim too much memory.

    Args:
      model: the contents of the file.
      source: its name, for messages.

    Raises:
      cli.UserError: it has no operators, or its tensors claim more than 16 GiB.
    """
    if not model.subgraphs or not model.subgraphs[0].operators:
        raise cli.UserError(f"{source}: the model has no operators; there is nothing to run.")
    claimed = sum(map(_claimed_bytes, model.subgraphs))
    if claimed > child.MAXIMUM_BYTES:
        raise cli.UserError(
            f"{source}: the model's tensors claim {claimed / (1 << 30):,.0f} GiB; the file is"
            " damaged or not meant to be run, so give another one."
        )


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
        seconds: float = child.SECONDS,
    ) -> None:
        """Loads a model.

        Args:
          content: the whole file, untrusted.
          source: its name, for messages.
          threads: how many threads compute.
          xnnpack: whether to use XNNPACK's kernels where it has some.
          model: the result of `reader.read` on the content, if there is one already.
          seconds: how long loading and each run may take.

        Raises:
          cli.UserError: the content is not a sound .tflite, claims more than 16 GiB of memory,
            needs an operator that the interpreter lacks, or cannot be prepared.
        """
        # Imported once; every child is forked from here.
        from reproducible_tflite.lib.interpreter import runtime

        self.source = source
        self.model = model or reader.read(content, source)
        check(self.model, source)
        self._seconds = seconds
        self._child = child.Child(
            source, runtime.Runtime, content, source, self.model, threads, xnnpack
        )
        self._child.ready(seconds)
        self.inputs, self.outputs = self._child.call("ports")

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
        self._child.call("set_inputs", list(values))

    def invoke(self) -> None:
        """Runs the model on the inputs that were set.

        Raises:
          cli.UserError: an operator fails, or the run crashes, takes too long or too much memory.
        """
        self._child.call("invoke", seconds=self._seconds)

    def output_values(self) -> list[np.ndarray]:
        """Returns copies of the last run's outputs, in the model's order, as they are stored."""
        return self._child.call("tensors", [port.index for port in self.outputs])

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
        [value] = self.tensors([index])
        return value

    def tensors(self, indices: Collection[int]) -> list[np.ndarray]:
        """Returns copies of several inputs or outputs at once; see `tensor`."""
        kept = {port.index for port in (*self.inputs, *self.outputs)}
        for index in indices:
            if index not in kept:
                raise cli.UserError(
                    f"{self.source}: tensor {index} is not kept; only inputs and outputs are."
                )
        return self._child.call("tensors", list(indices))

    def resize(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Changes the shapes of inputs and prepares the model again.

        Args:
          shapes: new shapes by input name; inputs without an entry keep theirs.

        Raises:
          cli.UserError: there is no such input, or the model cannot take these shapes.
        """
        known = [port.name for port in self.inputs]
        for name in shapes:
            if name not in known:
                raise cli.UserError(f"{self.source}: has no input {name}.")
        self._child.call("resize", dict(shapes), seconds=self._seconds)
        self.inputs, self.outputs = self._child.call("ports")
