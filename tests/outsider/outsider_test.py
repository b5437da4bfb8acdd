"""Tests that the model of CONTRIBUTING.md builds from its own package with public rules only."""

import pathlib
import re
import sys

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from tests.models import models

MODEL, PHOTOGRAPH = sys.argv[1:]

_BUILD = pathlib.Path("tests/outsider/mobilenet_v1_025/BUILD").read_text()


class OutsiderTest(absltest.TestCase):
    def test_contributing_shows_the_build_file(self):
        text = pathlib.Path("CONTRIBUTING.md").read_text()
        self.assertIn(_BUILD, re.findall(r"```starlark\n(.*?)```", text, re.DOTALL))
        self.assertLess(_BUILD.count("\n"), 36)

    def test_it_loads_only_public_rules(self):
        self.assertEqual(re.findall(r'load\("([^"]*)"', _BUILD), ["//tools/tflite:defs.bzl"])

    def test_the_model_answers(self):
        structure = models.structure(MODEL)
        self.assertEqual(structure.operators["DEPTHWISE_CONV_2D"], 13)
        interpreter = tf.lite.Interpreter(MODEL)
        interpreter.allocate_tensors()
        (entry,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        pixels = models.photograph(PHOTOGRAPH, 128, 128).astype(np.float32)
        interpreter.set_tensor(entry["index"], pixels[np.newaxis] / 127.5 - 1)
        interpreter.invoke()
        probabilities = interpreter.get_tensor(result["index"])
        self.assertEqual(probabilities.shape, (1, 1001))
        self.assertAlmostEqual(float(probabilities.sum()), 1, places=4)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
