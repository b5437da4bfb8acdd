"""Compares the four SSD MobileNet v1 with their recipes and with each other."""

import dataclasses
import pathlib
import sys

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from tensorflow.lite.python import schema_py_generated as schema

from tests.models import detectors, models

REGULAR, FAST, CUT, MANY, PHOTOGRAPH = sys.argv[1:]

_OPERATORS = {
    "CONV_2D": 34,
    "DEPTHWISE_CONV_2D": 13,
    "RESHAPE": 13,
    "CONCATENATION": 2,
    "LOGISTIC": 1,
}
_EXPECTED = detectors.Expected(
    size=27.28e6, operators=_OPERATORS, side=300, seed=20180128, max_detections=100
)


def weights(path: str) -> list[bytes]:
    """Returns the sorted bytes of all constants except small ones, such as shapes."""
    content = bytearray(pathlib.Path(path).read_bytes())
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    tensors = model.subgraphs[0].tensors
    buffers = [model.buffers[tensor.buffer].data for tensor in tensors]
    return sorted(bytes(data) for data in buffers if data is not None and len(data) > 64)


class StructureTest(detectors.DetectorTestCase):
    def _check(self, path: str, **changes) -> None:
        expected = dataclasses.replace(_EXPECTED, **changes)
        self.check_structure(path, expected)
        self.check_detections(path, expected, PHOTOGRAPH)

    def test_regular_nms(self):
        self._check(REGULAR)

    def test_fast_nms(self):
        self._check(FAST, use_regular_nms=False)

    def test_4000_detections_with_the_configs_thresholds(self):
        self._check(MANY, max_detections=4000, score_threshold=1e-8)

    def test_cut_ends_before_the_post_processing(self):
        self.assertEqual(models.structure(CUT).operators, _OPERATORS)
        interpreter = tf.lite.Interpreter(CUT)
        outputs = {
            output["name"]: list(output["shape"]) for output in interpreter.get_output_details()
        }
        self.assertEqual(
            outputs,
            {
                "raw_outputs/box_encodings": [1, 1917, 4],
                "raw_outputs/class_predictions": [1, 1917, 91],
            },
        )

    def test_cut_gives_what_the_others_post_process(self):
        image = models.photograph(PHOTOGRAPH, 300, 300)
        regular, cut = models.Detector(REGULAR), models.Detector(CUT)
        regular.run(image)
        boxes, scores = cut.run(image)
        raw = regular.raw_outputs()
        np.testing.assert_array_equal(raw["boxes"], boxes)
        np.testing.assert_allclose(1 / (1 + np.exp(-raw["classes"])), scores, atol=1e-6)

    def test_all_have_the_same_weights(self):
        regular = weights(REGULAR)
        # Kernels and biases of all convolutions except the smallest bias, and the anchors.
        self.assertGreaterEqual(len(regular), 2 * (34 + 13))
        for path in (FAST, MANY):
            self.assertTrue(weights(path) == regular, path)
        self.assertLess(set(weights(CUT)), set(regular))


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
