"""Compares the float and the quantized SSD MobileNet v2 with their recipes."""

import sys

from absl.testing import absltest

from tests.models import detectors

FLOAT, QUANTIZED, PHOTOGRAPH = sys.argv[1:]

_EXPECTED_FLOAT = detectors.Expected(
    size=67.34e6,
    operators={
        "CONV_2D": 55,
        "DEPTHWISE_CONV_2D": 21,
        "ADD": 10,
        "RESHAPE": 13,
        "CONCATENATION": 2,
        "LOGISTIC": 1,
    },
    side=300,
    seed=20180329,
    score_threshold=1e-8,
)
_EXPECTED_QUANTIZED = detectors.Expected(
    size=6.18e6,
    operators=_EXPECTED_FLOAT.operators | {"DEPTHWISE_CONV_2D": 17},
    side=300,
    seed=20190103,
    score_threshold=1e-8,
    input_type="uint8",
    input_quantization=(1 / 128, 128),
)


class StructureTest(detectors.DetectorTestCase):
    def test_float(self):
        self.check_structure(FLOAT, _EXPECTED_FLOAT)
        self.check_detections(FLOAT, _EXPECTED_FLOAT, PHOTOGRAPH)

    def test_quantized(self):
        self.check_structure(QUANTIZED, _EXPECTED_QUANTIZED)
        self.check_detections(QUANTIZED, _EXPECTED_QUANTIZED, PHOTOGRAPH)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
