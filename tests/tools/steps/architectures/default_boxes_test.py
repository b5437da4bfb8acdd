import math

import numpy as np
from absl.testing import absltest

from reproducible_tflite.steps.architectures import default_boxes

# MLPerf inference, others/cloud/single_stage_detector: cells, pixels from one cell to the next, and
# for SSD300 the sides of a map's two squares in pixels, the second being in between them.
_PUBLISHED = (
    (50, 24, 21, 45, (2,)),
    (25, 48, 45, 99, (2, 3)),
    (13, 92, 99, 153, (2, 3)),
    (7, 171, 153, 207, (2, 3)),
    (3, 400, 207, 261, (2,)),
    (3, 400, 261, 315, (2,)),
)


def _published_boxes():
    boxes = []
    for cells, step, side, next_side, ratios in _PUBLISHED:
        scale, between = side / 300, math.sqrt(side * next_side) / 300
        shapes = [(scale, scale), (between, between)]
        for ratio in ratios:
            width, height = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
            shapes += [(width, height), (height, width)]
        for width, height in shapes:
            for row in range(cells):
                for column in range(cells):
                    x, y = (column + 0.5) * step / 1200, (row + 0.5) * step / 1200
                    boxes.append((y, x, height, width))
    return np.array(boxes)


class DefaultBoxesTest(absltest.TestCase):
    def test_are_the_published_ones(self):
        boxes = default_boxes.default_boxes()
        self.assertEqual(boxes.dtype, np.float32)
        np.testing.assert_allclose(boxes, _published_boxes(), rtol=1e-6)

    def test_are_as_many_as_published(self):
        maps = default_boxes.FEATURE_MAPS
        counts = [feature_map.cells**2 * feature_map.boxes for feature_map in maps]
        self.assertEqual(counts, [10000, 3750, 1014, 294, 36, 36])
        self.assertEqual(default_boxes.default_boxes().shape, (15130, 4))

    def test_shapes_of_one_cell_have_the_ratios(self):
        boxes = default_boxes.default_boxes()[10000 : 10000 + 3750].reshape(6, 625, 4)
        heights, widths = boxes[:, 0, 2], boxes[:, 0, 3]
        np.testing.assert_allclose(widths / heights, [1, 1, 2, 1 / 2, 3, 1 / 3], rtol=1e-6)
        # All boxes except the second square have the area of the first.
        np.testing.assert_allclose(np.delete(widths * heights, 1), 0.15**2, rtol=1e-6)
        np.testing.assert_allclose(widths[1], math.sqrt(0.15 * 0.33), rtol=1e-6)

    def test_rows_go_down_and_columns_to_the_right(self):
        boxes = default_boxes.default_boxes()
        np.testing.assert_allclose(boxes[0, :2], [0.01, 0.01])
        np.testing.assert_allclose(boxes[1, :2], [0.01, 0.03])
        np.testing.assert_allclose(boxes[50, :2], [0.03, 0.01])

    def test_are_not_clipped_to_the_picture(self):
        y, _, height, _ = default_boxes.default_boxes()[-1]
        self.assertGreater(y + height / 2, 1.4)


if __name__ == "__main__":
    absltest.main()
