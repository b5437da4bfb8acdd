import numpy as np
import tensorflow.compat.v1 as tf
from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.values import rounding
from reproducible_tflite.steps.seed import calibrate, float64_graph

_EPSILON = 1e-3


def _variable(name, shape):
    return tf.get_variable(name, shape, tf.float32, use_resource=False)


def _batch_norm(source, name, **options):
    """Adds a batch norm whose variables start with a name."""
    names = {
        "scale": "gamma",
        "offset": "beta",
        "mean": "moving_mean",
        "variance": "moving_variance",
    }
    variables = {
        argument: _variable(f"{name}/{part}", [source.shape[3]]) for argument, part in names.items()
    }
    return tf.raw_ops.FusedBatchNormV3(x=source, **variables, is_training=False, **options).y


def _graph():
    """A 1x1 convolution, a batch norm, Relu6 and a fake-quant op, on reference variables."""
    with tf.Graph().as_default() as graph:
        image = tf.placeholder(tf.float32, [2, 4, 5, 3], name="image")
        convolved = tf.nn.conv2d(image, _variable("weights", [1, 1, 3, 6]), 1, "VALID")
        rectified = tf.nn.relu6(_batch_norm(convolved, "BatchNorm", epsilon=_EPSILON))
        tf.fake_quant_with_min_max_vars(
            rectified, _variable("act_quant/min", []), _variable("act_quant/max", [])
        )
    return graph.as_graph_def()


def _normalise(convolved, mean, variance, values):
    scale = values["BatchNorm/gamma"] / np.sqrt(variance + np.float32(_EPSILON))
    return (convolved - mean) * scale + values["BatchNorm/beta"]


class CalibrateTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        random = np.random.default_rng(1)
        self.graph_def = _graph()
        self.values = {
            "weights": random.uniform(-1, 1, [1, 1, 3, 6]).astype(np.float32),
            "BatchNorm/gamma": random.uniform(0.9, 1.1, [6]).astype(np.float32),
            "BatchNorm/beta": random.uniform(0, 1, [6]).astype(np.float32),
        }
        image = random.uniform(-3, 5, [2, 4, 5, 3])
        self.feeds = {"image": image}
        self.convolved = image @ self.values["weights"][0, 0].astype(np.float64)

    def test_moments_are_the_batchs_with_a_prior(self):
        measured = calibrate.batch_norm_moments(self.graph_def, self.values, self.feeds)
        self.assertCountEqual(measured, ["BatchNorm/moving_mean", "BatchNorm/moving_variance"])
        variance = self.convolved.var((0, 1, 2))
        prior = calibrate.PRIOR_SAMPLES
        shrunk = (40 * variance + prior * variance.mean()) / (40 + prior)
        np.testing.assert_allclose(measured["BatchNorm/moving_variance"], shrunk, rtol=2**-12)
        mean = self.convolved.mean((0, 1, 2))
        error = np.abs(measured["BatchNorm/moving_mean"] - mean) / np.sqrt(shrunk)
        self.assertLess(error.max(), 2**-12)
        self.assertEqual(measured["BatchNorm/moving_mean"].dtype, np.float32)

    def test_a_second_batch_norm_sees_what_the_first_normalised(self):
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(self.graph_def, name="")
            _batch_norm(graph.get_tensor_by_name("Relu6:0"), "second")
        measured = calibrate.batch_norm_moments(graph.as_graph_def(), self.values, self.feeds)
        normalised = _normalise(
            self.convolved,
            self.convolved.mean((0, 1, 2)),
            self.convolved.var((0, 1, 2)),
            self.values,
        )
        mean = np.clip(normalised, 0, 6).mean((0, 1, 2))
        np.testing.assert_allclose(measured["second/moving_mean"], mean, atol=2**-10)

    def test_a_resized_map_is_measured_in_the_same_way(self):
        with tf.Graph().as_default() as graph:
            image = tf.placeholder(tf.float32, [2, 4, 5, 3], name="image")
            resized = tf.image.resize_bilinear(image, [7, 9], align_corners=True)
            _batch_norm(resized, "BatchNorm")
        measured = calibrate.batch_norm_moments(graph.as_graph_def(), {}, self.feeds)
        # The mean of two neighbouring pixels comes between them.
        image = self.feeds["image"]
        rows = np.empty([2, 7, 5, 3])
        rows[:, ::2], rows[:, 1::2] = image, (image[:, 1:] + image[:, :-1]) / 2
        pixels = np.empty([2, 7, 9, 3])
        pixels[:, :, ::2], pixels[:, :, 1::2] = rows, (rows[:, :, 1:] + rows[:, :, :-1]) / 2
        expected = calibrate.moments(pixels.mean((0, 1, 2)), pixels.var((0, 1, 2)), 2 * 7 * 9)
        for name, values in zip(("moving_mean", "moving_variance"), expected, strict=True):
            np.testing.assert_array_equal(measured[f"BatchNorm/{name}"], values)

    def test_ranges_are_those_of_the_unquantized_input(self):
        self.values["BatchNorm/moving_mean"] = np.full(6, 0.5, np.float32)
        self.values["BatchNorm/moving_variance"] = np.full(6, 9.0, np.float32)
        measured = calibrate.fake_quant_ranges(self.graph_def, self.values, self.feeds)
        rectified = np.clip(_normalise(self.convolved, 0.5, np.float64(9), self.values), 0, 6)
        self.assertEqual(measured["act_quant/min"], 0.0)
        self.assertGreaterEqual(measured["act_quant/max"], rectified.max())
        self.assertLess(measured["act_quant/max"], rectified.max() * (1 + 2**-11))

    def test_a_kernels_ranges_are_exact_and_symmetric(self):
        with tf.Graph().as_default() as graph:
            image = tf.placeholder(tf.float32, [2, 4, 5, 3], name="image")
            kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(
                _variable("weights", [1, 1, 3, 6]),
                _variable("kernel_min", [6]),
                _variable("kernel_max", [6]),
                narrow_range=True,
            )
            convolved = tf.nn.conv2d(image, kernel, 1, "VALID")
            tf.fake_quant_with_min_max_vars(
                convolved, _variable("act_quant/min", []), _variable("act_quant/max", [])
            )
        graph_def = graph.as_graph_def()
        ranges = ["kernel_min", "kernel_max", "act_quant/min", "act_quant/max"]
        calibrate.check_covered(graph_def, ["weights", *ranges], ["weights"], "m.config")
        measured = calibrate.fake_quant_ranges(graph_def, self.values, self.feeds)
        self.assertCountEqual(measured, ranges)
        largest = np.abs(self.values["weights"]).max((0, 1, 2))
        np.testing.assert_array_equal(measured["kernel_max"], largest)
        np.testing.assert_array_equal(measured["kernel_min"], -largest)
        self.assertEqual(measured["kernel_max"].dtype, np.float32)
        # Later layers are measured with the unquantized kernel.
        self.assertGreaterEqual(measured["act_quant/max"], self.convolved.max())
        self.assertLess(measured["act_quant/max"], self.convolved.max() * (1 + 2**-11))

    def test_ranges_of_a_computed_kernel_are_refused(self):
        with tf.Graph().as_default() as graph:
            tf.quantization.fake_quant_with_min_max_vars_per_channel(
                2 * _variable("weights", [1, 1, 3, 6]),
                _variable("low", [6]),
                _variable("high", [6]),
            )
        with self.assertRaisesRegex(cli.UserError, "cannot be calibrated: .* comes from a Mul"):
            calibrate.check_covered(graph.as_graph_def(), ["low"], [], "m.config")

    def test_a_graph_without_either_has_nothing_to_measure(self):
        with tf.Graph().as_default() as graph:
            tf.nn.relu(tf.placeholder(tf.float32, [2, 4, 5, 3], name="image"))
        graph_def = graph.as_graph_def()
        self.assertEmpty(calibrate.batch_norm_moments(graph_def, {}, self.feeds))
        self.assertEmpty(calibrate.fake_quant_ranges(graph_def, {}, self.feeds))

    def test_ranges_hold_zero_and_are_not_empty(self):
        for measured, stored in (
            ((1.0, 3.0), (0.0, 3.0)),
            ((-2.0, -1.0), (-2.0, 0.0)),
            ((0.0, 0.0), (0.0, 1.0)),
        ):
            with self.subTest(measured):
                self.assertEqual(rounding.quantization_range(*measured, bits=12), stored)

    def test_differences_between_cpus_do_not_survive(self):
        random = np.random.default_rng(2)
        mean, variance = random.uniform(-1, 1, 100), random.uniform(0.1, 2, 100)
        nudge = 1 + random.uniform(-1, 1, 100) * 2.0**-41
        one = calibrate.moments(mean, variance, 50)
        two = calibrate.moments(mean * nudge, variance * nudge, 50)
        np.testing.assert_array_equal(one, two)
        bits = calibrate.SIGNIFICANT_BITS
        for low, high in random.uniform(1, 9, [100, 2]):
            self.assertEqual(
                rounding.quantization_range(-low, high, bits),
                rounding.quantization_range(-low * (1 + 2**-41), high * (1 - 2**-41), bits),
            )

    def test_finds_betas_before_rectifiers(self):
        self.assertEqual(calibrate.rectified_betas(self.graph_def), {"BatchNorm/beta"})

    def test_nothing_of_the_rewritten_graph_is_float32(self):
        graph = float64_graph.rewrite(self.graph_def, self.values, batch_statistics=True)
        for node in graph.graph_def.node:
            for name, value in node.attr.items():
                with self.subTest(f"{node.name} {name}"):
                    self.assertNotIn(tf.float32.as_datatype_enum, (value.type, value.tensor.dtype))

    def test_every_variable_has_a_value_or_is_measured(self):
        names = self.values.keys() | {
            "BatchNorm/moving_mean",
            "BatchNorm/moving_variance",
            "act_quant/min",
            "act_quant/max",
        }
        calibrate.check_covered(self.graph_def, names, self.values, "x.config")
        with self.assertRaisesRegex(
            cli.UserError, "^x.config: nothing gives a value to a/scale, weights; only kernels, "
        ):
            del self.values["weights"]
            calibrate.check_covered(self.graph_def, names | {"a/scale"}, self.values, "x.config")

    def test_a_graph_of_another_form_is_refused_with_the_node(self):
        for node in self.graph_def.node:
            if node.op == "FusedBatchNormV3":
                node.attr["data_format"].s = b"NCHW"
        with self.assertRaisesRegex(
            cli.UserError,
            "^x.config: this model cannot be calibrated: FusedBatchNormV3 is a batch norm of"
            " another layout than NHWC.$",
        ):
            calibrate.check_covered(self.graph_def, (), (), "x.config")

    def test_refuses_a_range_that_is_no_variable(self):
        with tf.Graph().as_default() as graph:
            image = tf.placeholder(tf.float32, [1])
            tf.fake_quant_with_min_max_vars(image, tf.constant(0.0), tf.constant(1.0))
        with self.assertRaisesRegex(
            cli.UserError,
            "^x.config: this model cannot be calibrated: Const comes from a Const where a variable",
        ):
            calibrate.check_covered(graph.as_graph_def(), (), (), "x.config")


if __name__ == "__main__":
    absltest.main()
