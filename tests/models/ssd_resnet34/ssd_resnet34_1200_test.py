"""Compares both SSD-ResNet34s with the published graph and with each other."""

import sys

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.steps.architectures import default_boxes
from tests.models import models

CUT, POST_PROCESSED, PHOTOGRAPH = sys.argv[1:4]

_OPERATORS = {
    "CONV_2D": 51,
    "TRANSPOSE": 14,
    "ADD": 13,
    "RESHAPE": 12,
    "CONCATENATION": 2,
    "MAX_POOL_2D": 1,
}


def _decoded(encodings: np.ndarray) -> np.ndarray:
    """Decodes boxes like the published graph: to y and x of two corners, float64 [boxes, 4]."""
    y, x, height, width = default_boxes.default_boxes().T.astype(np.float64)
    centre_x = encodings[:, 0] * 0.1 * width + x
    centre_y = encodings[:, 1] * 0.1 * height + y
    half_width = np.exp(encodings[:, 2] * 0.2) * width / 2
    half_height = np.exp(encodings[:, 3] * 0.2) * height / 2
    return np.stack(
        [
            centre_y - half_height,
            centre_x - half_width,
            centre_y + half_height,
            centre_x + half_width,
        ],
        axis=1,
    )


class SsdResnet34Test(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        pixels = models.photograph(PHOTOGRAPH, 1200, 1200)
        inputs = normalization.normalize(pixels, "imagenet_mean_std").astype(np.float32)
        cls.raw = models.run(CUT, inputs[np.newaxis])
        cls.detections = models.run(POST_PROCESSED, inputs[np.newaxis])

    def test_structures(self):
        after = {"GATHER": 1, "SOFTMAX": 1, models.POST_PROCESS: 1}
        # Batch norms are folded: of their four numbers per channel, only a bias remains.
        floats = 19_982_390 - 3 * (64 * 7 + 128 * 9 + 256 * 13)
        for path, operators, size in (
            (CUT, _OPERATORS, 4 * floats),
            (POST_PROCESSED, _OPERATORS | after, 4 * (floats + 15130 * 4)),
        ):
            with self.subTest(path):
                models.assert_structure(self, path, operators, size, 3345892, delta=0.001)

    def test_options_are_the_published_ones(self):
        options = models.structure(POST_PROCESSED).custom_options[models.POST_PROCESS]
        for name, expected in {
            "nms_score_threshold": 0.05,
            "nms_iou_threshold": 0.5,
            "max_detections": 200,
            "detections_per_class": 200,
            "use_regular_nms": True,
        }.items():
            with self.subTest(name):
                self.assertEqual(np.float32(options[name]), np.float32(expected))

    def test_raw_outputs_depend_on_the_place(self):
        self.assertEqual(list(self.raw), ["ssd1200/box_encodings", "ssd1200/class_logits"])
        encodings, logits = self.raw.values()
        self.assertEqual(encodings.shape, (1, 15130, 4))
        self.assertEqual(logits.shape, (1, 15130, 81))
        self.assertBetween(logits[..., 1:].std(), 1, 3)
        self.assertBetween(encodings.std(), 1, 5)
        self.assertGreater(np.unique(logits.argmax(axis=2)).size, 20)

    def test_detections_are_those_of_the_raw_outputs(self):
        boxes, classes, scores, count = self.detections.values()
        self.assertEqual(count, [200])
        self.assertTrue((np.diff(scores) <= 0).all())
        self.assertTrue(((scores >= 0.05) & (scores <= 1)).all())
        encodings, logits = (values[0].astype(np.float64) for values in self.raw.values())
        probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        # The best box is always a detection, whatever suppression does with the others.
        best, best_class = np.unravel_index(probabilities[:, 1:].argmax(), (15130, 80))
        self.assertEqual(classes[0, 0], best_class)
        np.testing.assert_allclose(scores[0, 0], probabilities[best, best_class + 1], rtol=1e-3)
        np.testing.assert_allclose(boxes[0, 0], _decoded(encodings)[best], atol=1e-4)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
