import sys

import numpy as np
import tensorflow.compat.v1 as tf
from absl.testing import absltest, flagsaver, parameterized

from reproducible_tflite.lib.checkpoint import checkpoint, signature
from reproducible_tflite.steps.architectures import edsr

_SIGNATURE = "third_party/checkpoints/signatures/edsr_f32b5{}.tsv"
_BLOCKS = 5
_FILTERS = 32


def _build(quantize, quantization_aware, shape=(2, 6, 10)):
    names = edsr.stored_names(_BLOCKS, quantization_aware)
    return edsr.build(_FILTERS, _BLOCKS, names, shape, quantize)


def _upscale(graph, seed, pixels):
    """Runs a float graph with seeded weights."""
    with flagsaver.flagsaver(quantize=False):
        code = edsr.graph_code()
    with graph.as_default(), tf.Session() as session:
        for variable in tf.global_variables():
            name, shape = variable.op.name, tuple(variable.shape.as_list())
            variable.load(code.seeded_value(seed, name, shape), session)
        return session.run(f"{edsr.OUTPUT}:0", {f"{edsr.INPUT}:0": pixels})


class EdsrTest(parameterized.TestCase):
    @parameterized.parameters((False, "", 26), (True, "_qat", 92))
    def test_is_the_genuine_one(self, quantized, suffix, count):
        path = _SIGNATURE.format(suffix)
        variables = checkpoint.graph_variables(_build(quantized, quantized))
        self.assertLen(variables, count)
        signature.check_equal(variables, signature.read(path), path)

    def test_has_as_many_weights_as_the_genuine_one(self):
        variables = checkpoint.graph_variables(_build(False, False))
        self.assertEqual(sum(np.prod(variable.shape) for variable in variables.values()), 106_092)

    def test_gives_twice_the_size(self):
        for quantize in (False, True):
            graph = _build(quantize, quantize)
            for name, shape in (("input_1", [2, 6, 10, 3]), ("Identity", [2, 12, 20, 3])):
                self.assertEqual(graph.get_tensor_by_name(f"{name}:0").shape.as_list(), shape)

    def test_quantizing_adds_a_range_for_every_layer_and_kernel(self):
        operations = [operation.type for operation in _build(True, True).get_operations()]
        # The input, 13 convolutions and 6 additions; the range of clipping needs no variables.
        self.assertEqual(operations.count("FakeQuantWithMinMaxVars"), 1 + 13 + 6)
        self.assertEqual(operations.count("FakeQuantWithMinMaxVarsPerChannel"), 13)
        self.assertEqual(operations.count("FakeQuantWithMinMaxArgs"), 1)

    def test_a_float_graph_can_have_the_names_of_a_quantized_one(self):
        plain = set(checkpoint.graph_variables(_build(False, True)))
        self.assertLen(plain, 26)
        self.assertContainsSubset(plain, checkpoint.graph_variables(_build(True, True)))

    def test_seeded_weights_are_the_same_under_both_names(self):
        names = [edsr.stored_names(_BLOCKS, aware)["conv2d_3/kernel"] for aware in (False, True)]
        values = []
        for quantize, name in zip((False, True), names, strict=True):
            with flagsaver.flagsaver(quantize=quantize):
                values.append(edsr.graph_code().seeded_value(7, name, (3, 3, 32, 32)))
        self.assertNotEqual(*names)
        np.testing.assert_array_equal(*values)

    def test_seeded_weights_enlarge_the_picture(self):
        # A smooth picture: periods of 6 and 8 pixels in each colour, values from 40 to 216.
        rows, columns = np.mgrid[0:48, 0:64]
        waves = np.sin(rows / 6) + np.cos(columns / 8)
        pixels = (128 + 44 * waves[..., None] * [1, -1, 0.5])[None].astype(np.float32)
        large = _upscale(_build(False, False, (1, 48, 64)), 1, pixels)
        with tf.Graph().as_default(), tf.Session() as session:
            expected = session.run(
                tf.compat.v2.image.resize(tf.constant(pixels), [96, 128], "bilinear")
            )
        # The border is padded with black.
        error = (large - expected)[:, 8:-8, 8:-8]
        self.assertLess(np.sqrt(np.mean(error**2)), 8)
        self.assertGreater(np.abs(error).max(), 0.5)


if __name__ == "__main__":
    # The program's own flags are required where it runs.
    sys.argv += ["--mode=export", "--output=x"]
    absltest.main()
