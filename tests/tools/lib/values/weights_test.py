import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.values import weights

_KERNEL = "FeatureExtractor/Conv/weights"


class WeightsTest(absltest.TestCase):
    def test_known_values(self):
        values = weights.uniform(1, "a", [4]) * 2**23
        self.assertSequenceEqual(values.tolist(), [4756486, 5647220, -6606184, -4113170])

    def test_depends_on_seed_and_name_only(self):
        alone = weights.seeded_value(7, _KERNEL, [3, 3, 8, 16])
        weights.seeded_value(7, "FeatureExtractor/Conv_1/weights", [3, 3, 8, 16])
        again = weights.seeded_value(7, _KERNEL, [3, 3, 8, 16])
        np.testing.assert_array_equal(alone, again)
        other_name = weights.seeded_value(7, _KERNEL + "_1/weights", [3, 3, 8, 16])
        other_seed = weights.seeded_value(8, _KERNEL, [3, 3, 8, 16])
        for other in (other_name, other_seed):
            self.assertLess(np.mean(alone == other), 0.001)

    def test_a_longer_variable_starts_with_the_same_values(self):
        np.testing.assert_array_equal(
            weights.uniform(1, "a", [10]), weights.uniform(1, "a", [20])[:10]
        )

    def test_is_uniform(self):
        values = weights.uniform(3, "a", [200_000])
        self.assertGreaterEqual(values.min(), -1.0)
        self.assertLess(values.max(), 1.0)
        self.assertAlmostEqual(values.mean(), 0.0, delta=0.01)
        self.assertAlmostEqual(values.var(), 1 / 3, delta=0.01)
        self.assertAlmostEqual(np.corrcoef(values[1:], values[:-1])[0, 1], 0.0, delta=0.01)

    def test_fan_in(self):
        for name, shape, inputs in (
            ("a/weights", [3, 3, 8, 16], 72),
            ("a/depthwise_weights", [5, 5, 96, 1], 25),
            ("a/kernel", [512, 10], 512),
        ):
            with self.subTest(name):
                self.assertEqual(weights.fan_in(name, shape), inputs)

    def test_kernels_keep_the_variance(self):
        hidden = weights.seeded_value(1, "a/depthwise_weights", [3, 3, 4096, 1])
        self.assertAlmostEqual(float(hidden.var()), 2 / 9, delta=0.005)
        output = weights.seeded_value(1, "a/weights", [1, 1, 64, 1024], output=True)
        self.assertAlmostEqual(float(output.var()), 1 / 64, delta=0.0005)

    def test_vectors_stay_near_their_offset(self):
        for name, offset, centre in (
            ("a/BatchNorm/gamma", 0.0, 1.0),
            ("a/BatchNorm/beta", 0.75, 0.75),
            ("a/ClassPredictor/biases", -4.6, -4.6),
        ):
            with self.subTest(name):
                values = weights.seeded_value(1, name, [1000], offset)
                self.assertEqual(values.dtype, np.float32)
                self.assertLessEqual(np.abs(values - centre).max(), 0.12501)
                self.assertGreater(values.std(), 0.06)

    def test_leaves_measured_variables_alone(self):
        for name in ("a/moving_mean", "a/moving_variance", "a/act_quant/min", "global_step"):
            with self.subTest(name):
                self.assertIsNone(weights.seeded_value(1, name, []))

    def test_contrasting_kernels_ignore_what_all_inputs_have_in_common(self):
        for shape in ((2048, 100), (3, 3, 256, 81)):
            with self.subTest(shape):
                kernel = weights.contrasting_kernel(1, "a/kernel", shape, gain=2.0)
                self.assertEqual(kernel.dtype, np.float32)
                inputs = np.prod(shape[:-1])
                np.testing.assert_allclose(kernel.reshape(inputs, -1).sum(axis=0), 0, atol=1e-4)
                self.assertAlmostEqual(float(kernel.var()) * inputs, 4, delta=0.04)

    def test_contrasting_kernels_known_values(self):
        kernel = weights.contrasting_kernel(1, "a", (4, 1), gain=1.0)
        steps = np.array([4756486, 5647220, -6606184, -4113170])
        expected = (steps - steps.sum() / 4) * 2.0**-23 * np.sqrt(3 / 4)
        np.testing.assert_array_equal(kernel.ravel(), expected.astype(np.float32))


if __name__ == "__main__":
    absltest.main()
