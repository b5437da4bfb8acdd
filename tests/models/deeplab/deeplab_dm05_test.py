"""Checks the structure of DeepLab for portraits, float and quantization-aware."""

import sys

from absl.testing import absltest

from tests.models import models

_FLOAT, _UINT8 = sys.argv[1:]
_SEED = 20200513

_OPERATORS = {
    "CONV_2D": 38,
    "DEPTHWISE_CONV_2D": 17,
    "ADD": 10,
    "AVERAGE_POOL_2D": 1,
    "RESIZE_BILINEAR": 3,
    "CONCATENATION": 1,
}


class DeeplabDm05Test(absltest.TestCase):
    def test_float(self):
        # As in deeplab_test.py, the batch norms after dilated convolutions stay.
        operators = _OPERATORS | {
            "SPACE_TO_BATCH_ND": 10,
            "BATCH_TO_SPACE_ND": 10,
            "MUL": 10,
            "ADD": 20,
        }
        models.assert_structure(self, _FLOAT, operators, 2.79e6, _SEED, delta=0.05)

    def test_uint8(self):
        # contrib.quantize has folded all batch norms, and TOCO finds the dilated convolutions.
        operators = _OPERATORS | {"ARG_MAX": 1}
        models.assert_structure(self, _UINT8, operators, 0.75e6, _SEED, delta=0.05)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
