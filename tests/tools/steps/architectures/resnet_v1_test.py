import sys

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.architectures import resnet_v1
from tests.tools.steps.architectures import graphs


def _convolution_parameters():
    """Counts the parameters of the layers in table 1 of He et al. (2015)."""
    count, channels = 7 * 7 * 3 * 64, 64
    for filters, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        count += channels * 4 * filters  # The projection of the first block's shortcut.
        for _ in range(blocks):
            count += channels * filters + 9 * filters**2 + filters * 4 * filters
            channels = 4 * filters
    return count


class ResnetV1Test(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.graph = resnet_v1.build(1, 224, 224, 1001)

    def test_has_25_6_million_parameters(self):
        self.assertEqual(_convolution_parameters(), 23_454_912)
        # Normalised channels: 64 after the first convolution; in a block, twice its filters and
        # once four times its filters, as in its projection.
        channels = 64 + sum(n * 6 * f + 4 * f for f, n in ((64, 3), (128, 4), (256, 6), (512, 3)))
        self.assertEqual(channels, 26_560)
        counts = graphs.parameters(self.graph)
        self.assertEqual(
            counts,
            {
                "kernel": 23_454_912 + 2048 * 1001,
                "bias": 1001,
                "gamma": channels,
                "beta": channels,
                "moving_mean": channels,
                "moving_variance": channels,
            },
        )
        self.assertEqual(sum(counts.values()), 25_612_201)

    def test_has_the_official_names(self):
        def numbered(name, count):
            return [f"resnet_model/{name}"] + [f"resnet_model/{name}_{n}" for n in range(1, count)]

        for op, expected in (
            ("Conv2D", [f"{scope}/Conv2D" for scope in numbered("conv2d", 53)]),
            (
                "FusedBatchNormV3",
                [f"{scope}/FusedBatchNorm" for scope in numbered("batch_normalization", 53)],
            ),
            ("Relu", numbered("Relu", 49)),
            ("AddV2", numbered("add", 16)),
            ("Pad", numbered("Pad", 7)),
            ("MaxPool", ["resnet_model/max_pooling2d/MaxPool"]),
            ("Mean", ["resnet_model/Mean"]),
            ("Squeeze", ["resnet_model/Squeeze"]),
            ("MatMul", ["resnet_model/dense/MatMul"]),
            ("BiasAdd", ["resnet_model/dense/BiasAdd"]),
            ("ArgMax", ["ArgMax"]),
            ("Softmax", ["softmax_tensor"]),
        ):
            with self.subTest(op):
                self.assertEqual(graphs.names(self.graph, op), expected)

    def test_stages_have_the_published_shapes(self):
        for name, shape in (
            ("input_tensor", [1, 224, 224, 3]),
            ("resnet_model/initial_conv", [1, 112, 112, 64]),
            ("resnet_model/initial_max_pool", [1, 56, 56, 64]),
            ("resnet_model/block_layer1", [1, 56, 56, 256]),
            ("resnet_model/block_layer2", [1, 28, 28, 512]),
            ("resnet_model/block_layer3", [1, 14, 14, 1024]),
            ("resnet_model/block_layer4", [1, 7, 7, 2048]),
            ("resnet_model/final_reduce_mean", [1, 1, 1, 2048]),
            ("resnet_model/dense/BiasAdd", [1, 1001]),
            ("resnet_model/final_dense", [1, 1001]),
            ("ArgMax", [1]),
            ("softmax_tensor", [1, 1001]),
        ):
            with self.subTest(name):
                self.assertEqual(graphs.shape(self.graph, name), shape)

    def test_the_3x3_convolution_of_a_block_halves_the_map(self):
        projections = ["conv2d_11", "conv2d_24", "conv2d_43"]
        in_blocks = ["conv2d_13", "conv2d_26", "conv2d_45"]
        strided = graphs.strided(self.graph)
        self.assertEqual(
            strided,
            {f"resnet_model/{name}/Conv2D": 2 for name in ["conv2d", *projections, *in_blocks]},
        )
        for name in strided:
            convolution = self.graph.get_operation_by_name(name)
            self.assertEqual(convolution.get_attr("padding"), b"VALID")
            self.assertEqual(convolution.inputs[0].op.type, "Pad")
        for name in in_blocks:
            kernel = self.graph.get_operation_by_name(f"resnet_model/{name}/Conv2D").inputs[1]
            self.assertEqual(kernel.shape.as_list()[:2], [3, 3])

    def test_batch_norms_have_the_official_epsilon(self):
        for name in graphs.names(self.graph, "FusedBatchNormV3"):
            norm = self.graph.get_operation_by_name(name)
            self.assertAlmostEqual(norm.get_attr("epsilon"), 1e-5, delta=1e-9)
            self.assertEqual(norm.get_attr("data_format"), b"NHWC")

    def test_takes_other_numbers_of_pictures_and_classes(self):
        graph = resnet_v1.build(3, 64, 96, 11)
        self.assertEqual(graphs.shape(graph, "resnet_model/block_layer4"), [3, 2, 3, 2048])
        self.assertEqual(graphs.shape(graph, resnet_v1.LOGITS), [3, 11])

    def test_seeded_classifier_favours_no_class(self):
        name, shape = "resnet_model/dense/kernel", (2048, 1001)
        kernel = resnet_v1.seeded_value(1, name, shape)
        self.assertEqual(kernel.shape, shape)
        np.testing.assert_allclose(kernel.sum(axis=0), 0, atol=1e-3)
        self.assertIsNone(resnet_v1.seeded_value(1, "resnet_model/conv2d/kernel", (7, 7, 3, 64)))

    def test_cannot_be_quantized(self):
        code = resnet_v1.graph_code()
        with self.assertRaisesRegex(cli.UserError, "^--quantize: "):
            code.build(1, 224, 224, True)
        self.assertEqual(graphs.shape(code.build(1, 32, 32, False), resnet_v1.LOGITS), [1, 1001])


if __name__ == "__main__":
    # The program's flags are read with the test's, and these two are required.
    sys.argv += ["--mode=export", "--output=unused"]
    absltest.main()
