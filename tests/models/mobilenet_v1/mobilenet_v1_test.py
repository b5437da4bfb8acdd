"""Checks MobileNet v1's structure and its classification of photographs."""

import sys

import numpy as np
from absl.testing import absltest

from tests.models import models

MODEL, *PHOTOGRAPHS = sys.argv[1:]


class MobilenetV1Test(absltest.TestCase):
    def test_structure(self):
        # Howard et al., "MobileNets" (2017), table 1: one convolution, 13 pairs, the classifier.
        operators = {
            "CONV_2D": 15,
            "DEPTHWISE_CONV_2D": 13,
            "AVERAGE_POOL_2D": 1,
            "RESHAPE": 1,
            "SOFTMAX": 1,
        }
        models.assert_structure(self, MODEL, operators, 16.90e6, seed=20180802)

    def test_distinguishes_photographs(self):
        classifier = models.Classifier(MODEL)
        self.assertEqual(list(classifier.input["shape"]), [1, 224, 224, 3])
        (output,) = classifier.interpreter.get_output_details()
        self.assertEqual(output["name"], "MobilenetV1/Predictions/Reshape_1")
        classes = set()
        for photograph in PHOTOGRAPHS:
            (probabilities,) = classifier.run(models.photograph(photograph, 224, 224))
            self.assertEqual(probabilities.shape, (1, 1001))
            self.assertEqual(probabilities.dtype, np.float32)
            self.assertAlmostEqual(float(probabilities.sum()), 1, places=4)
            classes.add(int(probabilities.argmax()))
        # Two of them may get the same class.
        self.assertGreaterEqual(len(classes), len(PHOTOGRAPHS) - 1)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
