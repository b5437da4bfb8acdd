"""Holds both MobileDets against what MLPerf Mobile ships."""

import sys

import numpy as np
from absl.testing import absltest

from tests.models import models

FLOAT, QUANTIZED, PHOTOGRAPH = sys.argv[1:4]

_OPERATORS = {
    "CONV_2D": 66,
    "DEPTHWISE_CONV_2D": 27,
    "ADD": 15,
    "RESHAPE": 13,
    "CONCATENATION": 2,
    "LOGISTIC": 1,
    models.POST_PROCESS: 1,
}

_OUTPUTS = [
    (models.POST_PROCESS, [1, 10, 4]),
    (models.POST_PROCESS + ":1", [1, 10]),
    (models.POST_PROCESS + ":2", [1, 10]),
    (models.POST_PROCESS + ":3", [1]),
]


class StructureTest(absltest.TestCase):
    def _check_common(self, path: str, size: float):
        structure = models.structure(path)
        self.assertAlmostEqual(structure.size / size, 1, delta=0.01)
        self.assertEqual(structure.operators, _OPERATORS)
        options = structure.custom_options[models.POST_PROCESS]
        self.assertEqual(options["max_detections"], 10)
        self.assertIs(options["use_regular_nms"], True)
        self.assertEqual(np.float32(options["nms_score_threshold"]), np.float32(0.3))
        self.assertEqual(np.float32(options["nms_iou_threshold"]), np.float32(0.6))
        self.assertEqual(options["num_classes"], 90)
        self.assertStartsWith(
            structure.description, "seeded weights (synthetic, seed 20200519): not trained"
        )
        self.assertIn("CONVERSION_METADATA", structure.metadata)

    def _check_detections(self, path: str) -> models.Detector:
        detector = models.Detector(path)
        self.assertEqual(list(detector.input["shape"]), [1, 320, 320, 3])
        outputs = [
            (output["name"], list(output["shape"]))
            for output in detector.interpreter.get_output_details()
        ]
        self.assertEqual(outputs, _OUTPUTS)
        boxes, classes, scores, count = detector.run(models.photograph(PHOTOGRAPH, 320, 320))
        for array in (boxes, classes, scores, count):
            self.assertEqual(array.dtype, np.float32)
        self.assertEqual(count, [10])
        self.assertTrue(np.isfinite(boxes).all())
        self.assertTrue(((classes >= 0) & (classes < 90)).all())
        self.assertTrue(((scores >= 0.3) & (scores <= 1)).all())
        self.assertTrue((np.diff(scores) <= 0).all())
        return detector

    def test_float_model(self):
        self._check_common(FLOAT, 16.56e6)
        self.assertEqual(self._check_detections(FLOAT).input["dtype"], np.float32)

    def test_quantized_model(self):
        self._check_common(QUANTIZED, 4.27e6)
        detector = self._check_detections(QUANTIZED)
        self.assertEqual(detector.input["dtype"], np.uint8)
        self.assertEqual(detector.input["quantization"], (1 / 128, 128))


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
