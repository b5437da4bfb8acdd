"""Compares ResNet50 v1 with its published structure, and runs it on photographs."""

import sys

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.preprocessing import normalization
from tests.models import models

MODEL, *PHOTOGRAPHS = sys.argv[1:]


class ResNet50V1Test(absltest.TestCase):
    def test_structure(self):
        # Batch norms are folded: 53 convolutions and the classifier have a kernel and biases each.
        floats = 23_454_912 + 26_560 + 2048 * 1001 + 1001
        operators = {
            "CONV_2D": 53,
            "ADD": 16,
            "PAD": 4,
            "MAX_POOL_2D": 1,
            "MEAN": 1,
            "FULLY_CONNECTED": 1,
        }
        models.assert_structure(self, MODEL, operators, 4 * floats, 2535873, delta=0.005)

    def test_logits_distinguish_photographs(self):
        logits = []
        for photograph in PHOTOGRAPHS:
            pixels = models.photograph(photograph, 224, 224)
            inputs = normalization.normalize(pixels, "imagenet_mean").astype(np.float32)
            outputs = models.run(MODEL, inputs[np.newaxis])
            self.assertEqual(list(outputs), ["resnet_model/dense/BiasAdd"])
            (output,) = outputs.values()
            self.assertEqual(output.shape, (1, 1001))
            self.assertTrue(np.isfinite(output).all())
            self.assertBetween(output.std(), 1, 5)
            logits.append(output[0])
        first, second = logits
        self.assertNotEqual(first.argmax(), second.argmax())
        cosine = models.centred_cosine(first, second)
        print(f"logits of two photographs: cosine {cosine:.3f}")
        self.assertLess(cosine, 0.8)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
