"""Compares the three MobileNetEdgeTPUs with those that MLPerf Mobile ships."""

import sys

import numpy as np
from absl.testing import absltest

from tests.models import models

FLOAT, UINT8, INT8 = sys.argv[1:4]

_OPERATORS = {
    "CONV_2D": 46,
    "DEPTHWISE_CONV_2D": 13,
    "ADD": 15,
    "AVERAGE_POOL_2D": 1,
    "RESHAPE": 1,
    "SOFTMAX": 1,
}


class StructureTest(absltest.TestCase):
    def _check(self, path: str, size: float, dtype: type) -> models.Classifier:
        models.assert_structure(self, path, _OPERATORS, size, seed=20191118)
        classifier = models.Classifier(path)
        (output,) = classifier.interpreter.get_output_details()
        for tensor, name, shape in (
            (classifier.input, "input", [1, 224, 224, 3]),
            (output, "MobilenetEdgeTPU/Predictions/Softmax", [1, 1001]),
        ):
            self.assertEqual(tensor["name"], name)
            self.assertEqual(list(tensor["shape"]), shape)
            self.assertEqual(tensor["dtype"], dtype)
        return classifier

    def test_float_model(self):
        self._check(FLOAT, 16.32e6, np.float32)

    def test_quantization_aware_model(self):
        # Published: 4,193,912 bytes.
        classifier = self._check(UINT8, 4_193_912, np.uint8)
        self.assertEqual(classifier.input["quantization"], (float(np.float32(1 / 127)), 128))

    def test_post_training_quantized_model(self):
        # Its scales per channel make it larger.
        classifier = self._check(INT8, 4.65e6, np.int8)
        self.assertAlmostEqual(classifier.input["quantization"][0] * 127.5, 1, places=5)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
