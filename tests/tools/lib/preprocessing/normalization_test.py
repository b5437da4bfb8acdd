import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.preprocessing import normalization


class NormalizationTest(parameterized.TestCase):
    @parameterized.parameters(
        ("minus_one_to_one", [-1, -1, -1], [1, 1, 1]),
        ("zero_to_one", [0, 0, 0], [1, 1, 1]),
        ("identity", [0, 0, 0], [255, 255, 255]),
        ("imagenet_mean", [-123.68, -116.78, -103.94], [131.32, 138.22, 151.06]),
        ("imagenet_mean_std", [-2.1179, -2.0357, -1.8044], [2.2489, 2.4286, 2.64]),
    )
    def test_ends_of_the_range(self, name, black, white):
        pixels = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
        normalized = normalization.normalize(pixels, name)
        self.assertEqual(normalized.dtype, np.float64)
        np.testing.assert_allclose(normalized, [black, white], atol=1e-4)

    def test_every_preprocessing_has_a_meaning_for_people(self):
        self.assertEqual(set(normalization.NAMES), {*normalization.NORMALIZATIONS, "tokens"})
        for name in normalization.NAMES:
            self.assertEndsWith(normalization.MEANINGS[name], ".")


if __name__ == "__main__":
    absltest.main()
