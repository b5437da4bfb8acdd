"""Helpers for tests of super-resolution models: enlarged photographs, and their differences."""

import reproducible_tflite.lib.tensorflow_parts.deferred  # noqa: F401

import numpy as np
from tensorflow.lite.python.interpreter import Interpreter, OpResolverType


class Enlarger:
    """A super-resolution model in TensorFlow Lite's interpreter.

    Attributes:
      input: TensorFlow Lite's details of the input, float32, int8 or uint8 [1, height, width, 3].
      output: likewise of the output.
    """

    def __init__(self, path: str):
        # TensorFlow Lite's own kernels are the reference; XNNPACK's may round differently.
        self._interpreter = Interpreter(
            path,
            experimental_op_resolver_type=(OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
        )
        (self.input,) = self._interpreter.get_input_details()
        (self.output,) = self._interpreter.get_output_details()

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Enlarges a picture.

        Args:
          pixels: uint8 [height, width, 3], RGB, of any size that the model's padding allows.

        Returns:
          float64 [2 * height, 2 * width, 3], 0 to 255.
        """
        self._interpreter.resize_tensor_input(self.input["index"], [1, *pixels.shape])
        self._interpreter.allocate_tensors()
        stored = pixels.astype(np.float64)
        scale, zero_point = self.input["quantization"]
        if scale:
            kind = np.iinfo(self.input["dtype"])
            stored = np.clip(np.rint(stored / scale) + zero_point, kind.min, kind.max)
        batch = stored.astype(self.input["dtype"])[np.newaxis]
        self._interpreter.set_tensor(self.input["index"], batch)
        self._interpreter.invoke()
        result = self._interpreter.get_tensor(self.output["index"])[0].astype(np.float64)
        scale, zero_point = self.output["quantization"]
        return (result - zero_point) * scale if scale else result


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the peak signal-to-noise ratio of two pictures from 0 to 255, in dB."""
    error = np.mean((np.asarray(a, np.float64) - b) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
