import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from reproducible_tflite.detect import drawing
from reproducible_tflite.lib.interpreter.vision import Detection

_GREY = (128, 128, 128)
_NAMES = ["person", "bicycle", "car"]


def _grey(width: int = 400, height: int = 300) -> Image.Image:
    return Image.new("RGB", (width, height), _GREY)


def _changed(image: Image.Image) -> np.ndarray:
    return (np.asarray(image) != _GREY).any(axis=2)


class ColourTest(parameterized.TestCase):
    def test_neighbours_differ(self):
        for label in range(90):
            first, second = map(np.array, (drawing.colour(label), drawing.colour(label + 1)))
            self.assertGreater(np.abs(first - second).max(), 60, label)

    @parameterized.parameters(*range(0, 90, 7))
    def test_text_can_be_read(self, label):
        background = drawing.colour(label)
        values = sorted(
            drawing.luminance(x) + 0.05 for x in (background, drawing.contrasting(background))
        )
        # The minimum contrast of text in WCAG 2.
        self.assertGreaterEqual(values[1] / values[0], 4.5)

    def test_contrast(self):
        self.assertEqual(drawing.contrasting((255, 255, 0)), (0, 0, 0))
        self.assertEqual(drawing.contrasting((0, 0, 140)), (255, 255, 255))
        self.assertAlmostEqual(drawing.luminance((255, 255, 255)), 1)


class BoxesTest(parameterized.TestCase):
    def test_a_box_is_drawn_at_its_corners(self):
        image = _grey()
        detection = Detection((0.5, 0.25, 0.9, 0.75), 1, 0.87)
        drawn = drawing.boxes(image, [detection], _NAMES)
        self.assertEqual(drawn.size, image.size)
        self.assertFalse(_changed(image).any())
        left, top, right, bottom = drawing.pixels(detection.box, *image.size)
        self.assertEqual((left, top, right, bottom), (100, 150, 299, 269))
        for corner in ((left, top), (right, bottom), (left, bottom), (right, top), (200, bottom)):
            self.assertEqual(drawn.getpixel(corner), drawing.colour(1))
        self.assertEqual(drawn.getpixel((200, 210)), _GREY)
        # The label is above the box, in its colour.
        rows = np.flatnonzero(_changed(drawn).any(axis=1))
        self.assertBetween(rows.min(), 120, 140)
        self.assertEqual(drawn.getpixel((101, 140)), drawing.colour(1))
        self.assertEqual(rows.max(), bottom)

    def test_a_label_at_the_upper_edge_is_inside(self):
        drawn = drawing.boxes(_grey(), [Detection((0.0, 0.0, 0.8, 0.8), 0, 0.5)], _NAMES)
        # To the left of the text, below the box's upper line.
        self.assertEqual(drawn.getpixel((1, 9)), drawing.colour(0))
        self.assertEqual(drawn.getpixel((399, 9)), _GREY)

    def test_labels_do_not_hide_each_other(self):
        box = (0.3, 0.3, 0.9, 0.9)
        detections = [Detection(box, label, 0.9 - label / 10) for label in range(3)]
        drawn = np.asarray(drawing.boxes(_grey(), detections, _NAMES))
        for label in range(3):
            area = (drawn == drawing.colour(label)).all(axis=2).sum()
            self.assertGreater(area, 400, label)

    @parameterized.parameters(
        ((-1, -1, 2, 2), (0, 0, 99, 49)),
        ((0.9, 0.9, 0.1, 0.1), (10, 5, 89, 44)),
        ((0.5, 0.5, 0.5, 0.5), (50, 24, 50, 24)),
    )
    def test_odd_boxes(self, box, expected):
        self.assertEqual(drawing.pixels(box, 100, 50), expected)
        drawing.boxes(_grey(100, 50), [Detection(box, 5, 1.0)], _NAMES)

    @parameterized.parameters((1, 1), (3, 500), (500, 3), (4000, 3000))
    def test_pictures_of_any_size(self, width, height):
        drawn = drawing.boxes(_grey(width, height), [Detection((0, 0, 1, 1), 0, 1.0)], _NAMES)
        self.assertEqual(drawn.size, (width, height))
        self.assertTrue(_changed(drawn).any())


class OverlayTest(absltest.TestCase):
    def test_colours_are_on_their_classes_and_in_the_legend(self):
        segmented = np.zeros((300, 400), np.uint8)
        segmented[:, 300:] = 2
        drawn = drawing.overlay(_grey(), segmented, _NAMES)
        self.assertGreater(drawn.width, 400)
        for x, label in ((10, 0), (390, 2)):
            blended = [
                0.45 * grey + 0.55 * part
                for grey, part in zip(_GREY, drawing.colour(label), strict=True)
            ]
            np.testing.assert_allclose(drawn.getpixel((x, 150)), blended, atol=1.5)
        legend = np.asarray(drawn)[:, 400:]
        for label, present in ((0, True), (1, False), (2, True)):
            self.assertEqual((legend == drawing.colour(label)).all(axis=2).any(), present, label)

    def test_small_shares_are_summed_up_in_the_legend(self):
        segmented = np.zeros((300, 400), np.uint8)
        segmented[0, :60] = np.arange(60)
        short = drawing.overlay(_grey(), segmented, _NAMES)
        self.assertEqual(short.height, 300)
        self.assertFalse((np.asarray(short)[:, 400:] == drawing.colour(40)).all(axis=2).any())

    def test_shares(self):
        segmented = np.array([[3, 3], [3, 1]], np.uint8)
        self.assertEqual(drawing.shares(segmented), [(3, 0.75), (1, 0.25)])


class TextTest(absltest.TestCase):
    def test_a_ranking_is_next_to_the_picture(self):
        drawn = drawing.ranking(_grey(40, 30), [(0, 0.9), (1, 0.1)], _NAMES)
        self.assertEqual(drawn.getpixel((39, 29)), _GREY)
        self.assertGreater(drawn.height, 60)

    def test_a_warning_is_below_the_picture_in_as_many_lines_as_needed(self):
        short = drawing.warned(_grey(), "seeded")
        long = drawing.warned(_grey(), "seeded weights " * 20)
        self.assertEqual(short.width, 400)
        self.assertGreater(long.height, short.height + 40)
        np.testing.assert_array_equal(np.asarray(long)[:300], np.asarray(_grey()))
        red, green, blue = short.getpixel((399, short.height - 1))
        self.assertGreater(red, 3 * max(green, blue))


if __name__ == "__main__":
    absltest.main()
