import functools
import math
import sys

from absl.testing import absltest

from reproducible_tflite.lib.checkpoint import checkpoint, signature
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.architectures import slim
from reproducible_tflite.steps.export import tf1_compat
from tests.tools.steps.export import program

_SIGNATURE = "third_party/checkpoints/signatures/mobilenet_edgetpu.tsv"
_BATCH_NORM = ("beta", "gamma", "moving_mean", "moving_variance")


@functools.cache
def _build(model_name, *outputs, classes=1001, size=224, quantize=False):
    return slim.build(model_name, classes, outputs, (1, size, size), quantize)


def _layer(name, kernel):
    return {f"{name}/{kernel}", *(f"{name}/BatchNorm/{part}" for part in _BATCH_NORM)}


class SlimTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        tf1_compat.install()

    def test_mobilenet_edgetpu_is_the_genuine_one(self):
        output = "MobilenetEdgeTPU/Predictions/Softmax"
        graph = _build("mobilenet_edgetpu", output)
        variables = checkpoint.graph_variables(graph)
        self.assertLen(variables, 292)
        signature.check_equal(variables, signature.read(_SIGNATURE), _SIGNATURE)
        self.assertEqual(graph.get_operation_by_name("input").type, "Placeholder")
        for name, shape in (("input", [1, 224, 224, 3]), (output, [1, 1001])):
            self.assertEqual(graph.get_tensor_by_name(f"{name}:0").shape.as_list(), shape)

    def test_quantizing_adds_a_range_to_weights_and_activations(self):
        variables = checkpoint.graph_variables(_build("mobilenet_edgetpu", quantize=True))
        ranges = set(variables) - set(checkpoint.graph_variables(_build("mobilenet_edgetpu")))
        quantized = {name.rpartition("/")[0] for name in ranges}
        self.assertLen(ranges, 2 * len(quantized))
        for layer in ("Conv", "expanded_conv_10/depthwise", "Logits/Conv2d_1c_1x1"):
            self.assertIn(f"MobilenetEdgeTPU/{layer}/weights_quant", quantized)
            self.assertIn(f"MobilenetEdgeTPU/{layer}/act_quant", quantized)

    def test_mobilenet_v1_has_the_published_layers_and_parameters(self):
        graph = _build("mobilenet_v1", "MobilenetV1/Predictions/Reshape_1")
        names = _layer("MobilenetV1/Conv2d_0", "weights")
        for number in range(1, 14):
            layer = f"MobilenetV1/Conv2d_{number}"
            names |= _layer(f"{layer}_depthwise", "depthwise_weights")
            names |= _layer(f"{layer}_pointwise", "weights")
        names |= {f"MobilenetV1/Logits/Conv2d_1c_1x1/{part}" for part in ("weights", "biases")}
        variables = checkpoint.graph_variables(graph)
        self.assertCountEqual(variables, names)
        # 4.24 million in slim's mobilenet_v1.md.
        trained = [x.shape for name, x in variables.items() if "/moving_" not in name]
        self.assertEqual(sum(map(math.prod, trained)), 4_233_001)

    def test_the_classifier_looks_at_contrasts(self):
        name = "MobilenetV1/Logits/Conv2d_1c_1x1/weights"
        kernel = slim.seeded_value(1, name, (1, 1, 64, 10))
        self.assertAlmostEqual(abs(kernel.sum(axis=(0, 1, 2))).max(), 0, places=5)
        self.assertGreater(kernel.std(), 1)
        for other in ("MobilenetV1/Conv2d_0/weights", "MobilenetV1/Logits/Conv2d_1c_1x1/biases"):
            self.assertIsNone(slim.seeded_value(1, other, (1, 1, 64, 10)))

    def test_an_output_that_it_has_not_is_refused(self):
        with self.assertRaisesRegex(
            cli.UserError, "^--output_node_names: mobilenet_v1 has no node Predictions.$"
        ):
            _build("mobilenet_v1", "Predictions")

    def test_an_input_that_is_too_small_is_refused(self):
        with self.assertRaisesRegex(
            cli.UserError, r"^--model_name=inception_v3: cannot be built on .*\[1, 20, 20, 3\]: Neg"
        ):
            _build("inception_v3", size=20)

    def test_another_network_is_refused_with_those_there_are(self):
        result = program.run(
            "tools/steps/architectures/slim.py", mode="export", model_name="nasnet", output="x"
        )
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "model_name.*mobilenet_edgetpu")


if __name__ == "__main__":
    # The program's own flags are required where it runs.
    sys.argv += ["--mode=export", "--output=x", "--model_name=lenet", "--output_node_names=x"]
    absltest.main()
