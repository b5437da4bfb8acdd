import numpy as np
import tensorflow.compat.v1 as tf
from absl.testing import absltest

from reproducible_tflite.steps.architectures import layers


def _run(graph, name, values, feeds=None):
    with graph.as_default(), tf.Session() as session:
        for variable in tf.global_variables():
            variable.load(values[variable.op.name], session)
        return session.run(name, feeds)


class LayersTest(absltest.TestCase):
    def test_names_count_up_as_those_of_tf_layers(self):
        with tf.Graph().as_default() as graph:
            inputs = tf.zeros([1, 4, 4, 3])
            with tf.variable_scope("model"):
                for _ in range(2):
                    layers.batch_norm(layers.convolution(inputs, 5, 1), 1e-3)
                layers.convolution(inputs, 2, 3, 2, "VALID", "deep/head", use_bias=True)
                layers.dense(tf.zeros([1, 6]), 7, "dense")
        variables = {v.op.name: v.shape.as_list() for v in graph.get_collection("variables")}
        norm = {name: [5] for name in ("gamma", "beta", "moving_mean", "moving_variance")}
        self.assertEqual(
            variables,
            {
                "model/conv2d/kernel": [1, 1, 3, 5],
                "model/conv2d_1/kernel": [1, 1, 3, 5],
                **{f"model/batch_normalization/{name}": size for name, size in norm.items()},
                **{f"model/batch_normalization_1/{name}": size for name, size in norm.items()},
                "model/deep/head/kernel": [3, 3, 3, 2],
                "model/deep/head/bias": [2],
                "model/dense/kernel": [6, 7],
                "model/dense/bias": [7],
            },
        )
        nodes = {node.name for node in graph.get_operations()}
        self.assertContainsSubset(
            {
                "model/conv2d_1/Conv2D",
                "model/batch_normalization_1/FusedBatchNorm",
                "model/deep/head/BiasAdd",
                "model/dense/MatMul",
                "model/dense/BiasAdd",
            },
            nodes,
        )
        self.assertNotIn("model/conv2d/BiasAdd", nodes)
        self.assertEqual({v.op.type for v in graph.get_collection("variables")}, {"VariableV2"})

    def test_convolution_computes(self):
        with tf.Graph().as_default() as graph:
            inputs = tf.placeholder(tf.float32, [1, 3, 3, 1], "x")
            outputs = layers.convolution(inputs, 2, 3, 2, "VALID", "c", use_bias=True)
        self.assertEqual(outputs.shape.as_list(), [1, 1, 1, 2])
        kernel = np.arange(18.0).reshape(3, 3, 1, 2)
        values = {"c/kernel": kernel, "c/bias": np.array([100.0, 200.0])}
        picture = np.arange(9.0).reshape(1, 3, 3, 1)
        convolved = _run(graph, "c/BiasAdd:0", values, {"x:0": picture})
        sums = (kernel[:, :, 0] * picture[0]).sum(axis=(0, 1))
        np.testing.assert_allclose(convolved.ravel(), sums + [100, 200])

    def test_batch_norm_uses_the_stored_statistics(self):
        with tf.Graph().as_default() as graph:
            inputs = tf.constant([3.0, 5.0], shape=[1, 1, 1, 2])
            outputs = layers.batch_norm(inputs, 0.25, "n")
        values = {
            "n/gamma": [2.0, 1.0],
            "n/beta": [10.0, 20.0],
            "n/moving_mean": [1.0, 1.0],
            "n/moving_variance": [3.75, 0.75],
        }
        np.testing.assert_allclose(_run(graph, outputs.name, values).ravel(), [12.0, 24.0])

    def test_dense_computes(self):
        with tf.Graph().as_default() as graph:
            outputs = layers.dense(tf.constant([[1.0, 2.0]]), 1, "d")
        values = {"d/kernel": [[3.0], [4.0]], "d/bias": [0.5]}
        np.testing.assert_allclose(_run(graph, outputs.name, values), [[11.5]])


if __name__ == "__main__":
    absltest.main()
