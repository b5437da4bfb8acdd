import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from reproducible_tflite.steps.convert import reciprocal_roots


def _folded(build, *rsqrt) -> dict[str, tf.compat.v1.NodeDef]:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [3], "x")
        tf.multiply(x, tf.math.rsqrt(build(x), name="root"), name="y")
    graph_def = graph.as_graph_def()
    reciprocal_roots.fold(graph_def, *rsqrt)
    with tf.Graph().as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    return {node.name: node for node in graph_def.node}


class FoldTest(parameterized.TestCase):
    VALUES = np.array([0.1, 3, 7e5], np.float32)

    @parameterized.named_parameters(
        ("constant", lambda _: tf.constant(FoldTest.VALUES), 0),
        ("epsilon", lambda _: tf.identity(tf.constant(FoldTest.VALUES)) + 1e-3, 1e-3),
        (
            "epsilon_first",
            lambda _: tf.raw_ops.Add(x=1e-3, y=tf.identity(tf.constant(FoldTest.VALUES))),
            1e-3,
        ),
    )
    def test_constants(self, build, epsilon):
        node = _folded(build)["root"]
        self.assertEqual((node.op, list(node.input)), ("Const", []))
        exact = 1 / np.sqrt((self.VALUES + np.float32(epsilon)).astype(np.float64))
        np.testing.assert_array_equal(
            tf.make_ndarray(node.attr["value"].tensor), exact.astype(np.float32)
        )

    def test_the_root_of_another_cpu(self):
        node = _folded(lambda _: tf.constant(self.VALUES), lambda x: x * 2)["root"]
        found = tf.make_ndarray(node.attr["value"].tensor)
        np.testing.assert_array_equal(found, self.VALUES * 2)

    @parameterized.named_parameters(
        ("input", lambda x: x),
        ("sum", lambda x: x + 1e-3),
        ("product", lambda x: tf.constant(FoldTest.VALUES) * 2.0),
    )
    def test_what_stays(self, build):
        self.assertEqual(_folded(build)["root"].op, "Rsqrt")


if __name__ == "__main__":
    absltest.main()
