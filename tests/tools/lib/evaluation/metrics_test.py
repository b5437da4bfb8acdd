import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.evaluation import metrics


class MetricsTest(parameterized.TestCase):
    @parameterized.parameters(
        (2, 1, True), (0, 1, False), (0, 2, True), (1, 3, True), (3, 3, False)
    )
    def test_top(self, label, top, expected):
        self.assertEqual(metrics.is_among_top(np.array([0.3, 0.1, 0.6, 0.0]), label, top), expected)

    def test_with_equal_scores_the_lower_class_wins(self):
        scores = np.array([0.5, 0.5])
        self.assertTrue(metrics.is_among_top(scores, 0, 1))
        self.assertFalse(metrics.is_among_top(scores, 1, 1))

    def test_intersections(self):
        truth = np.array([[1, 1, 1, 2], [2, 0, 3, 9]], np.uint8)
        predicted = np.array([[1, 1, 2, 2], [0, 1, 3, 1]], np.uint8)
        counts = metrics.intersections(predicted, truth, 3)
        # Class 1: two right, one missed. Pixels whose true class is 0 or 9 do not count.
        np.testing.assert_array_equal(counts, [[2, 0, 1], [1, 1, 1], [1, 0, 0]])
        self.assertAlmostEqual(metrics.mean_iou(counts), (2 / 3 + 1 / 3 + 1) / 3)

    def test_a_higher_predicted_class_is_wrong_but_no_false_positive(self):
        counts = metrics.intersections(np.array([7, 1]), np.array([1, 1]), 2)
        np.testing.assert_array_equal(counts, [[1, 0, 1], [0, 0, 0]])
        # Class 2 does not occur.
        self.assertAlmostEqual(metrics.mean_iou(counts), 0.5)

    def test_nothing_known_occurs(self):
        self.assertEqual(metrics.mean_iou(np.zeros((3, 3), np.int64)), 0)

    def test_psnr(self):
        truth = np.full((2, 2, 3), 100, np.uint8)
        self.assertEqual(metrics.psnr(truth, truth), 100)
        # An error of 16 everywhere: 10 * log10(255^2 / 256).
        self.assertAlmostEqual(metrics.psnr(truth - 16, truth), 24.0484, places=4)
        self.assertAlmostEqual(metrics.psnr(np.zeros_like(truth), truth), 8.1308, places=4)

    @parameterized.parameters(
        ("The  Eiffel-Tower!", "eiffeltower"), ("An apple a day", "apple day"), ("", "")
    )
    def test_normalized_answers(self, text, expected):
        self.assertEqual(metrics.normalized_answer(text), expected)

    def test_exact_match(self):
        self.assertEqual(metrics.exact_match("the Broncos", ["Denver Broncos", "Broncos."]), 1)
        self.assertEqual(metrics.exact_match("Denver", ["Denver Broncos"]), 0)

    def test_f1(self):
        # Precision 1, recall 0.5: 2 * 1 * 0.5 / 1.5.
        self.assertAlmostEqual(metrics.f1("Denver", ["Denver Broncos"]), 2 / 3)
        self.assertAlmostEqual(metrics.f1("Denver", ["Denver Broncos", "denver"]), 1)
        self.assertEqual(metrics.f1("Panthers", ["Denver Broncos"]), 0)
        self.assertEqual(metrics.f1("", ["Denver"]), 0)
        # A repeated word counts once if the truth has it once.
        self.assertAlmostEqual(metrics.f1("ten ten", ["ten men"]), 0.5)


if __name__ == "__main__":
    absltest.main()
