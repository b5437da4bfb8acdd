"""The project's interpreter runs what litert-quantizer writes."""

import pathlib
import sys

import reproducible_tflite.lib.tensorflow_parts.deferred  # noqa: F401

import numpy as np
from absl.testing import absltest
from tensorflow.lite.python import interpreter

from reproducible_tflite.lib.interpreter.interpreter import Interpreter

_FLOAT, *_QUANTIZED = map(pathlib.Path, sys.argv[1:])


class InterpreterTest(absltest.TestCase):
    def test_about_what_the_float_model_gives(self):
        sample = np.random.default_rng(1).uniform(-1, 1, (1, 8, 8, 4)).astype(np.float32)
        [expected] = Interpreter(_FLOAT.read_bytes(), "float").run([sample])
        for path in _QUANTIZED:
            with self.subTest(path.stem):
                [found] = Interpreter(path.read_bytes(), path.stem).run([sample])
                error = np.sqrt(np.mean((found - expected) ** 2)) / np.ptp(expected)
                self.assertLess(error, 0.1 if "int4" in path.stem else 0.02)

    def test_tensorflow_lite_2_15_1_refuses_what_it_would_compute_wrongly(self):
        [path] = [path for path in _QUANTIZED if path.stem == "dynamic_int8"]
        with self.assertRaisesRegex(ValueError, "FULLY_CONNECTED.* version '12'"):
            interpreter.Interpreter(str(path)).allocate_tensors()


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
