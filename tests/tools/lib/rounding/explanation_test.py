"""From its source, a file tells whose rounding it has."""

import dataclasses
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.rounding import explanation, folds, graph_def, layers, refolding
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.lib.rounding import folded

_CHANNELS = 3 * folded.CHANNELS


def _explain(content: bytes, source: bytes | None = None) -> explanation.Explanation:
    known = layers.find(graph_def.parse(source or folded.graph(), "graph.pb"))
    return explanation.explain(reader.read(content, "model.tflite"), known)


class ExplanationTest(parameterized.TestCase):
    @parameterized.parameters(*folds.FOLDS)
    def test_whose_rounding(self, name):
        found = _explain(folded.file(name))
        self.assertEqual((found.folds, found.is_complete), ([name], True))
        self.assertEqual((found.layers, found.of_layers), (3, 3))
        self.assertEqual((found.channels, found.factors), (_CHANNELS, _CHANNELS))
        best, *others = found.candidates
        self.assertEqual((best.name, best.weights, best.biases), (name, _CHANNELS, _CHANNELS))
        for other in others:
            self.assertLess(other.weights, _CHANNELS)
        self.assertCountEqual([one.name for one in found.candidates], explanation.CANDIDATES)
        self.assertEqual(
            next(found.lines()),
            f"model.tflite: folded on {folds.named(name).meaning}: {_CHANNELS} of {_CHANNELS}"
            " channels",
        )

    def test_toco_takes_no_estimate(self):
        scalar = dataclasses.replace(folds.FOLDS["intel, 2.3"], lanes=2 * folded.CHANNELS)
        with mock.patch.dict(folds.FOLDS, scalar=scalar):
            content = folded.file("scalar")
        found = _explain(content)
        self.assertEqual((found.folds, found.is_complete), ([explanation.ONE_BY_ONE], True))
        self.assertIn("folded without a CPU's estimate, as TOCO does", next(found.lines()))

    @parameterized.parameters(*folds.FOLDS)
    def test_a_file_folded_again(self, name):
        known = layers.find(graph_def.parse(folded.graph(), "graph.pb"))
        for other in ("intel, 2.3", "arm, 2.13"):
            again = refolding.refolded(folded.file(other), "model.tflite", known, name)
            self.assertEqual(again, folded.file(name))

    def test_places(self):
        found = _explain(folded.file("intel, 2.3"))
        self.assertIn("FULLY_CONNECTED 2 bias", found.places)
        self.assertLen(found.places, 6)

    def test_biases_that_the_conversion_lost(self):
        found = _explain(folded.file("intel, 2.3", lose_biases=True))
        best = found.candidates[0]
        own = 2 * folded.CHANNELS
        self.assertEqual((best.weights, best.biases), (_CHANNELS, folded.CHANNELS))
        self.assertEqual((best.without_own, found.own_biases), (own, own))
        self.assertEqual((found.folds, found.is_complete), (["intel, 2.3"], False))
        self.assertIn(
            f"  the layers' own biases are lost: {own} biases are beta - mean * m without them",
            list(found.lines()),
        )

    def test_rounding_of_nobody(self):
        found = _explain(folded.file("intel, 2.3", factor_of_factors=1 + 2.0**-20))
        self.assertEqual((found.channels, found.factors), (_CHANNELS, _CHANNELS))
        self.assertEqual((found.folds, found.is_complete), ([], False))
        self.assertStartsWith(
            next(found.lines()), "model.tflite: folded in no known way; the nearest, on Intel by"
        )

    def test_another_source(self):
        found = _explain(folded.file("intel, 2.3"), folded.graph(seed=2))
        self.assertEqual((found.layers, found.folds, found.is_complete), (0, [], False))
        self.assertEqual(
            list(found.lines()),
            [
                "model.tflite: none of the source's 3 batch norms is folded into float32 weights of"
                " it"
            ],
        )

    def test_a_batch_norm_without_a_layer(self):
        parameters = np.random.default_rng(1).uniform(0.5, 2, [4, 64]).astype(np.float32)
        with tf.Graph().as_default() as graph:
            image = tf.compat.v1.placeholder(tf.float32, [1, 1, 1, 64])
            names = ("scale", "offset", "mean", "variance")
            constants = dict(zip(names, parameters, strict=True))
            tf.raw_ops.FusedBatchNormV3(x=image, is_training=False, epsilon=1e-3, **constants)
        (layer,) = layers.find(graph_def.parse(graph.as_graph_def().SerializeToString(), "a"))
        self.assertEqual((layer.kind, layer.kernel, layer.channels), ("MUL", None, 64))
        factor, addend = folds.named("arm, 2.13").constants(*parameters, 1e-3)
        maker = folded.models.Maker()
        x, scaled, y = (maker.tensor(name, [1, 64]) for name in ("x", "scaled", "y"))
        op = folded.tflite.BuiltinOperator
        maker.operator(op.MUL, [x, maker.tensor("factor", [64], factor)], [scaled])
        maker.operator(op.ADD, [scaled, maker.tensor("addend", [64], addend)], [y])
        maker.graph.inputs, maker.graph.outputs = np.array([x], "i4"), np.array([y], "i4")
        found = explanation.explain(reader.read(folded.models.pack(maker.model), "m"), [layer])
        self.assertEqual((found.folds, found.is_complete), (["arm, 2.13"], True))

    def test_factors(self):
        random = np.random.default_rng(1)
        kernel = random.normal(size=[64, 9]).astype(np.float32)
        kernel[3], expected = 0, random.uniform(0.1, 4, 64).astype(np.float32)
        weights = kernel * expected[:, None]
        weights[5, 2] = np.nextafter(weights[5, 2], np.float32(9))
        # A channel of zeros has any factor.
        factors, found = explanation.factors(kernel, weights)
        self.assertEqual(np.flatnonzero(~found).tolist(), [5])
        expected[3] = factors[3]
        np.testing.assert_array_equal(factors[found], expected[found])


class GraphTest(parameterized.TestCase):
    def test_layers(self):
        found = layers.find(graph_def.parse(folded.graph(), "graph.pb"))
        self.assertEqual(
            [(part.kind, part.kernel.shape, part.bias is not None) for part in found],
            [
                ("CONV_2D", (16, 18), True),
                ("DEPTHWISE_CONV_2D", (16, 9), False),
                ("FULLY_CONNECTED", (16, 16), True),
            ],
        )
        self.assertEqual([part.is_fused for part in found], [True, True, False])
        self.assertEqual([part.epsilon for part in found], [np.float32(1e-3).item()] * 3)

    @parameterized.parameters(
        [np.arange(6, dtype=np.float32).reshape(2, 3)], [np.full([4, 2], 0.5, np.float32)]
    )
    def test_constants(self, values):
        made = tf.compat.v1.GraphDef()
        made.node.add(name="a", op="Const").attr["value"].tensor.CopyFrom(
            tf.make_tensor_proto(values)
        )
        made.node.add(name="b", op="Identity", input=["a:0", "^a"])
        compressed = tf.make_tensor_proto(0.5, shape=[4, 2])
        made.node.add(name="c", op="Const").attr["value"].tensor.CopyFrom(compressed)
        graph = graph_def.parse(made.SerializeToString(), "graph.pb")
        np.testing.assert_array_equal(graph.constant("b"), values)
        np.testing.assert_array_equal(graph.constant("c"), np.full([4, 2], 0.5))

    def test_no_float32_constants(self):
        made = tf.compat.v1.GraphDef()
        made.node.add(name="a", op="Const").attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1))
        made.node.add(name="b", op="Const")
        made.node.add(name="c", op="Identity", input=["c"])
        damaged = made.node.add(name="d", op="Const").attr["value"].tensor
        damaged.CopyFrom(tf.make_tensor_proto(np.ones(4, np.float32)))
        damaged.tensor_content = damaged.tensor_content[:7]
        graph = graph_def.parse(made.SerializeToString(), "graph.pb")
        self.assertEqual([graph.constant(name) for name in "abcde"], [None] * 5)

    def test_no_graph(self):
        with self.assertRaisesRegex(cli.UserError, "^x.pb: not a serialized GraphDef"):
            graph_def.parse(folded.graph()[:-3], "x.pb")


if __name__ == "__main__":
    absltest.main()
