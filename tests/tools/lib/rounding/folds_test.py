"""A fold computes what TensorFlow computes on the CPU that it names."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.rounding import folds
from tests.tools.lib.rounding import processor


def _own(case: absltest.TestCase) -> folds.Fold:
    maker = processor.maker()
    if maker is None:
        case.skipTest("nothing is known of this machine's processor")
    return folds.named(f"{maker}, 2.13")


class FoldsTest(parameterized.TestCase):
    def test_all_mantissas_under_tensorflow(self):
        fold = _own(self)
        for start in range(0x3F000000, 0x40000000, 1 << 17):
            x = np.arange(start, start + (1 << 17), dtype=np.uint32).view(np.float32)
            np.testing.assert_array_equal(tf.math.rsqrt(tf.constant(x)).numpy(), fold.rsqrt(x))

    def test_any_number_of_channels_under_tensorflow(self):
        fold = _own(self)
        x = np.random.default_rng(1).uniform(1e-3, 9, 40).astype(np.float32)
        for count in range(1, len(x) + 1):
            expected = tf.math.rsqrt(tf.constant(x[:count])).numpy()
            np.testing.assert_array_equal(expected, fold.rsqrt(x[:count]))

    @parameterized.parameters(*folds.FOLDS)
    def test_is_a_root_to_the_last_bits(self, name):
        x = np.geomspace(1e-30, 1e30, 4096).astype(np.float32)
        exact = 1 / np.sqrt(x.astype(np.float64))
        errors = np.abs(folds.named(name).rsqrt(x) / exact - 1)
        self.assertLess(errors.max(), 4 * 2.0**-24)

    @parameterized.parameters(*folds.FOLDS)
    def test_leftover_channels_have_no_estimate(self, name):
        fold = folds.named(name)
        x = np.full(fold.lanes + 1, 0.3, np.float32)
        self.assertEqual(fold.rsqrt(x)[-1], np.float32(1) / np.sqrt(np.float32(0.3)))

    @parameterized.parameters(*folds.FOLDS)
    def test_no_number_comes_of_what_has_no_root(self, name):
        fold = folds.named(name)
        x = np.full(fold.lanes, -1, np.float32)
        x[1:4] = 0, 1e-40, np.nan
        self.assertTrue(np.isnan(fold.rsqrt(x)).all())

    def test_folds_differ_in_the_last_bits_alone(self):
        x = np.random.default_rng(1).uniform(1e-3, 9, 4096).astype(np.float32)
        bits = [fold.rsqrt(x).view(np.int32) for fold in folds.FOLDS.values()]
        for index, one in enumerate(bits):
            for other in bits[:index]:
                apart = np.abs(one - other)
                self.assertGreater((apart > 0).mean(), 0.02)
                self.assertLessEqual(apart.max(), 4)

    # How many units in the last place each is away from the exact root, rounded.
    @parameterized.parameters(
        ("intel, 2.3", [-1, -2, -1, 0, -2, -2, 1, 0]),
        ("intel, 2.13", [-2, -2, -2, -1, -2, -1, 0, 0]),
        ("amd, 2.3", [0, 0, 0, 1, 0, -2, -1, -2]),
        ("amd, 2.13", [0, 0, 0, 1, 0, -1, -1, -1]),
        ("arm, 2.13", [0, 0, 0, 0, 0, 0, 0, -1]),
        ("avx-512, 2.13", [0, 1, 0, -1, 1, 0, 0, 0]),
    )
    def test_known_values(self, name, expected):
        x = np.float32([0.25, 0.26, 1, 1.01, 1.04, 1.14, 1.3, 1.69])
        exact = (1 / np.sqrt(x.astype(np.float64))).astype(np.float32)
        found = folds.named(name).rsqrt(np.tile(x, 2))[: len(x)]
        self.assertEqual((found.view(np.int32) - exact.view(np.int32)).tolist(), expected)

    def test_constants(self):
        channels = np.float32([1.5, 2, -3, 4, 5, 6, 7, 8])
        gamma, beta, mean, variance = channels, channels / 8, -channels, channels * channels
        for fold in folds.FOLDS.values():
            factor, addend = fold.constants(gamma, beta, mean, variance, 1e-3)
            root = fold.rsqrt(variance + np.float32(1e-3))
            np.testing.assert_array_equal(factor, gamma * root)
            np.testing.assert_array_equal(addend, beta - mean * factor)
            self.assertEqual((factor.dtype, addend.dtype), (np.float32, np.float32))

    def test_an_unknown_name(self):
        with self.assertRaisesRegex(
            cli.UserError, r"'intel' is not a known rounding of batch norms; give \"intel, 2.3\", "
        ):
            folds.named("intel")


if __name__ == "__main__":
    absltest.main()
