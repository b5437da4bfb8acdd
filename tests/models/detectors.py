"""A base class for the tests of SSD models."""

import dataclasses

import numpy as np
from absl.testing import parameterized

from tests.models import models


@dataclasses.dataclass(frozen=True)
class Expected:
    """The expected model of a published recipe.

    Attributes:
      size: the file's size in bytes, to 1 %.
      operators: the number of each operator, without the post-processing.
      side: height and width of the input in pixels.
      seed: the seed of its weights.
      max_detections: the number of detections.
      score_threshold: the least score of a detection.
      use_regular_nms: whether suppression is per class.
      input_type: numpy's name of the input's type.
      input_quantization: (scale, zero point) of the input; (0, 0) for real numbers.
    """

    size: float
    operators: dict[str, int]
    side: int
    seed: int
    max_detections: int = 10
    score_threshold: float = 0.3
    use_regular_nms: bool = True
    input_type: str = "float32"
    input_quantization: tuple[float, int] = (0.0, 0)


class DetectorTestCase(parameterized.TestCase):
    def check_structure(self, path: str, expected: Expected) -> None:
        """Asserts operators, post-processing options, size and description of a detector."""
        operators = expected.operators | {models.POST_PROCESS: 1}
        structure = models.assert_structure(self, path, operators, expected.size, expected.seed)
        options = structure.custom_options[models.POST_PROCESS]
        self.assertEqual(options["max_detections"], expected.max_detections)
        self.assertIs(options["use_regular_nms"], expected.use_regular_nms)
        self.assertEqual(
            np.float32(options["nms_score_threshold"]), np.float32(expected.score_threshold)
        )
        self.assertEqual(np.float32(options["nms_iou_threshold"]), np.float32(0.6))
        self.assertEqual(options["detections_per_class"], 100)
        self.assertEqual(options["num_classes"], 90)
        self.assertIn("CONVERSION_METADATA", structure.metadata)

    def check_detections(self, path: str, expected: Expected, photograph: str) -> None:
        """Asserts a detector's inputs and outputs, and runs it on a photograph."""
        detector = models.Detector(path)
        side, count = expected.side, expected.max_detections
        self.assertEqual(detector.input["name"], "normalized_input_image_tensor")
        self.assertEqual(list(detector.input["shape"]), [1, side, side, 3])
        self.assertEqual(detector.input["dtype"], np.dtype(expected.input_type))
        np.testing.assert_allclose(
            detector.input["quantization"], expected.input_quantization, rtol=1e-6
        )
        outputs = [
            (output["name"], list(output["shape"]))
            for output in detector.interpreter.get_output_details()
        ]
        self.assertEqual(
            outputs,
            [
                (models.POST_PROCESS, [1, count, 4]),
                (models.POST_PROCESS + ":1", [1, count]),
                (models.POST_PROCESS + ":2", [1, count]),
                (models.POST_PROCESS + ":3", [1]),
            ],
        )
        boxes, classes, scores, number = detector.run(models.photograph(photograph, side, side))
        for array in (boxes, classes, scores, number):
            self.assertEqual(array.dtype, np.float32)
        kept = int(number[0])
        self.assertBetween(kept, 1, count)
        self.assertTrue(np.isfinite(boxes).all())
        self.assertTrue(((classes >= 0) & (classes < 90)).all())
        threshold = np.float32(expected.score_threshold)
        self.assertTrue(((scores[0, :kept] >= threshold) & (scores[0, :kept] <= 1)).all())
        self.assertTrue((np.diff(scores[0, :kept]) <= 0).all())
