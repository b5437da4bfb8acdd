"""Checks DeepLab's structure and its segmentation of photographs."""

import sys

import numpy as np
from absl.testing import absltest

from tests.models import models

MODEL, *PHOTOGRAPHS = sys.argv[1:]


class DeeplabTest(absltest.TestCase):
    def test_structure(self):
        # The last three depthwise convolutions are dilated. TOCO leaves them between SpaceToBatch
        # and BatchToSpace, so the batch norm after them stays a multiplication and an addition.
        operators = {
            "CONV_2D": 41,
            "DEPTHWISE_CONV_2D": 19,
            "SPACE_TO_BATCH_ND": 3,
            "BATCH_TO_SPACE_ND": 3,
            "MUL": 3,
            "ADD": 13,
            "AVERAGE_POOL_2D": 1,
            "RESIZE_BILINEAR": 5,
            "CONCATENATION": 2,
            "ARG_MAX": 1,
        }
        models.assert_structure(self, MODEL, operators, 9.07e6, seed=20181203)

    def test_sees_several_classes_in_a_photograph(self):
        model = models.Model(MODEL)
        self.assertEqual(model.input["name"], "MobilenetV2/MobilenetV2/input")
        self.assertEqual(model.input["dtype"], np.float32)
        (output,) = model.interpreter.get_output_details()
        self.assertEqual(output["name"], "ArgMax")
        for photograph in PHOTOGRAPHS:
            (classes,) = model.run(models.photograph(photograph, 513, 513))
            self.assertEqual(classes.shape, (1, 513, 513))
            self.assertEqual(classes.dtype, np.int64)
            shares = np.bincount(classes.ravel(), minlength=32) / classes.size
            self.assertLen(shares, 32)
            print(photograph, np.sort(shares)[::-1][:8].round(3))
            self.assertGreaterEqual((shares > 0.01).sum(), 5)
            self.assertLess(shares.max(), 0.9)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
