import functools
import sys

import tensorflow.compat.v1 as tf
from absl.testing import absltest, flagsaver

from reproducible_tflite.lib.checkpoint import checkpoint, signature
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.architectures import deeplab
from reproducible_tflite.steps.export import tf1_compat

_SIGNATURE = "third_party/checkpoints/signatures/deeplab_ade20k_float.tsv"


@functools.cache
def _build(decoder_output_stride, quantize=False, output_stride=16):
    with flagsaver.flagsaver(decoder_output_stride=[str(decoder_output_stride)]):
        return deeplab.build(32, output_stride, (2, 513, 513), quantize)


def _sources(graph, output, cut):
    """Returns the operations that `output` needs, up to `cut`."""
    names, pending = set(), [graph.get_operation_by_name(output)]
    while pending:
        operation = pending.pop()
        if operation.name not in names:
            names.add(operation.name)
            if operation.name != cut:
                pending += [tensor.op for tensor in operation.inputs]
    return names


class DeeplabTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        tf1_compat.install()

    def test_is_the_genuine_one(self):
        graph = _build(4)
        variables = checkpoint.graph_variables(graph)
        self.assertLen(variables, 297)
        signature.check_equal(variables, signature.read(_SIGNATURE), _SIGNATURE)

    def test_is_cut_behind_the_preprocessing(self):
        graph = _build(4)
        cut = graph.get_tensor_by_name("MobilenetV2/MobilenetV2/input:0")
        self.assertEqual(cut.shape.as_list(), [2, 513, 513, 3])
        needed = _sources(graph, "ArgMax", cut.op.name)
        self.assertIn("MobilenetV2/Conv/weights", needed)
        self.assertNotIn("ImageTensor", needed)
        classes = graph.get_tensor_by_name("ArgMax:0")
        self.assertEqual((classes.dtype, classes.shape.as_list()), (tf.int64, [2, 513, 513]))

    def test_quantizing_adds_ranges_only(self):
        ranges = set(checkpoint.graph_variables(_build(4, quantize=True)))
        ranges -= set(checkpoint.graph_variables(_build(4)))
        self.assertIn("decoder/decoder_conv1_pointwise/act_quant/max", ranges)
        self.assertEqual({name.rpartition("/")[2] for name in ranges}, {"min", "max"})

    def test_strides_that_it_cannot_have_are_refused(self):
        with self.assertRaisesRegex(
            cli.UserError, "^--decoder_output_stride: mobilenet_v2 has no features of stride 5.$"
        ):
            _build(5)
        with self.assertRaisesRegex(cli.UserError, "^DeepLab cannot be built with these options: "):
            _build(4, output_stride=7)

    def test_another_backbone_is_refused(self):
        with flagsaver.flagsaver(model_variant="xception_65"):
            with self.assertRaisesRegex(
                cli.UserError, "^--model_variant=xception_65: is not supported; use mobilenet_v2.$"
            ):
                deeplab.graph_code()


if __name__ == "__main__":
    # The program's own flags are required where it runs.
    sys.argv += ["--mode=export", "--output=x"]
    absltest.main()
