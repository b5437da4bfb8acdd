"""Folded graphs compute what TensorFlow computes; other batch norms stay, with a reason."""

from collections.abc import Callable, Collection

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.rounding import folds
from reproducible_tflite.steps.convert import batch_norms

_SHAPE = (1, 2, 2, 3)
_VALUES = {
    "scale": [2.0, 1.0, 3.0],
    "offset": [1.0, 0.0, -1.0],
    "mean": [5.0, 6.0, 7.0],
    "variance": [0.3, 0.7, 1.1],
}


def _image(dtype=tf.float32, shape=_SHAPE) -> tf.Tensor:
    return tf.compat.v1.placeholder(dtype, shape, name="x")


def _norm(x: tf.Tensor, op: Callable = tf.raw_ops.FusedBatchNormV3, **changes) -> tf.Tensor:
    """Adds an inference batch norm `bn` of the values; returns all its outputs."""
    constants = {
        key: tf.constant(value, tf.float32, name=key)
        for key, value in _VALUES.items()
        if key not in changes
    }
    return op(**{"x": x, "is_training": False, "name": "bn"} | constants | changes)


def _graph(build: Callable[[], None]) -> tf.compat.v1.GraphDef:
    with tf.Graph().as_default() as graph:
        build()
    return graph.as_graph_def()


def _run(graph_def: tf.compat.v1.GraphDef, shape=_SHAPE, **more) -> np.ndarray:
    """Returns the output `y` for noise as input `x`, in [0, 10]."""
    (dtype,) = (node.attr["dtype"].type for node in graph_def.node if node.name == "x")
    pixels = np.random.default_rng(1).uniform(0, 10, shape)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        fed = {"x:0": pixels.astype(tf.as_dtype(dtype).as_numpy_dtype)} | more
        return session.run(graph.get_tensor_by_name("y:0"), fed)


def _fold(
    graph_def: tf.compat.v1.GraphDef,
    inputs: Collection[str] = ("x",),
    outputs: Collection[str] = ("y",),
    **more,
) -> tuple[tf.compat.v1.GraphDef, list[str]]:
    """Returns a folded copy and the notes."""
    folded, notes = tf.compat.v1.GraphDef(), []
    folded.CopyFrom(graph_def)
    batch_norms.fold(folded, inputs, outputs, notes.append, **more)
    return folded, notes


def _ops(graph_def: tf.compat.v1.GraphDef) -> set[str]:
    """Returns the ops of a graph and of its library."""
    functions = (function.node_def for function in graph_def.library.function)
    return {node.op for nodes in (graph_def.node, *functions) for node in nodes}


def _node(graph_def: tf.compat.v1.GraphDef, name: str) -> tf.compat.v1.NodeDef:
    (node,) = (node for node in graph_def.node if node.name == name)
    return node


def _plain() -> None:
    tf.nn.relu(_norm(_image()).y, name="y")


def _first_version() -> None:
    tf.nn.relu(_norm(_image(), tf.raw_ops.FusedBatchNorm).y, name="y")


def _second_version() -> None:
    tf.nn.relu(_norm(_image(), tf.raw_ops.FusedBatchNormV2).y, name="y")


def _unknown_shape() -> None:
    tf.nn.relu(_norm(_image(shape=None)).y, name="y")


def _behind_identities() -> None:
    variance = tf.identity(tf.identity(tf.constant(_VALUES["variance"])))
    tf.nn.relu(_norm(_image(), variance=variance).y, name="y")


def _two_batch_norms() -> None:
    tf.nn.relu(_norm(_norm(_image()).y, name="bn/second").y, name="y")


def _taken_names() -> None:
    tf.constant(1.0, name="bn/scaled")
    tf.constant(1.0, name="bn/folded_scale")
    _plain()


def _control_input() -> None:
    image = _image()
    with tf.control_dependencies([tf.debugging.assert_less(image, 20.0)]):
        tf.nn.relu(_norm(image).y, name="y")


def _in_a_function() -> None:
    @tf.function
    def normalized(image):
        return tf.nn.relu(_norm(image).y), _norm(image, name="other").y

    positive, plain = normalized(_image())
    tf.add(positive, plain, name="y")


def _in_a_branch() -> None:
    image = _image()
    tf.identity(tf.cond(tf.reduce_sum(image) > 0, lambda: _norm(image).y, lambda: image), name="y")


def _in_a_loop() -> None:
    tf.compat.v1.disable_control_flow_v2()
    result = tf.while_loop(
        lambda i, _: i < 3, lambda i, image: (i + 1, _norm(image).y), [0, _image()]
    )
    tf.compat.v1.enable_control_flow_v2()
    tf.identity(result[1], name="y")


def _half() -> None:
    tf.cast(_norm(_image(tf.float16)).y, tf.float32, name="y")


def _computed() -> None:
    scale = tf.constant(_VALUES["scale"]) * tf.constant(2.0)
    tf.nn.relu(_norm(_image(), scale=scale).y, name="y")


def _cast() -> None:
    scale = tf.cast(tf.constant(_VALUES["scale"], tf.float16), tf.float32, name="cast")
    tf.nn.relu(_norm(_image(), scale=scale).y, name="y")


def _split() -> None:
    scale = tf.split(tf.constant([9.0] * 3 + _VALUES["scale"]), 2, name="split")[1]
    tf.nn.relu(_norm(_image(), scale=scale).y, name="y")


def _second_output() -> None:
    normalized = _norm(_image())
    tf.add(normalized.y, normalized.batch_mean, name="y")


def _second_output_in_a_function() -> None:
    @tf.function
    def sum_of_both(image):
        normalized = _norm(image)
        return normalized.y + normalized.batch_variance

    tf.identity(sum_of_both(_image()), name="y")


def _constant_from_an_argument() -> None:
    @tf.function
    def normalized(image, scale):
        return _norm(image, scale=scale).y

    tf.identity(normalized(_image(), tf.constant(_VALUES["scale"])), name="y")


def _training() -> None:
    one, none = tf.ones([3]), tf.constant([], tf.float32)
    normalized = tf.raw_ops.FusedBatchNormV3(
        x=_image(), scale=one, offset=one, mean=none, variance=none, name="bn"
    )
    tf.nn.relu(normalized.y, name="y")


class FoldTest(parameterized.TestCase):
    @parameterized.parameters(
        _plain,
        _first_version,
        _second_version,
        _unknown_shape,
        _behind_identities,
        _two_batch_norms,
        _taken_names,
        _control_input,
        _in_a_function,
        _in_a_branch,
        _in_a_loop,
    )
    def test_a_folded_graph_computes_the_same(self, build):
        graph_def = _graph(build)
        folded, notes = _fold(graph_def)
        self.assertEmpty(notes)
        self.assertNoCommonElements(
            _ops(folded), {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
        )
        np.testing.assert_allclose(_run(folded), _run(graph_def), rtol=1e-5, atol=1e-5)

    @parameterized.parameters(
        (_half, "bn", "it does not compute in float32"),
        (_computed, "bn", "its scale, mul, is not a constant"),
        (_cast, "bn", "its scale, cast, is not a constant"),
        (_split, "bn", "its scale, split:1, is not a constant"),
        (_second_output, "bn", "more than its first output is used"),
        (_second_output_in_a_function, ".*/bn", "more than its first output is used"),
        (_constant_from_an_argument, ".*/bn", "its scale, scale, is not a constant"),
        (_training, "bn", "it is in training mode"),
    )
    def test_others_stay_with_a_reason(self, build, name, reason):
        graph_def = _graph(build)
        folded, notes = _fold(graph_def)
        self.assertLen(notes, 1)
        self.assertRegex(
            notes[0], f"^{name}: the batch norm is left to the converter: {reason}\\.$"
        )
        self.assertEqual(folded, graph_def)

    def test_volumes_have_their_channels_at_the_end_too(self):
        shape = [1, 2, *_SHAPE[1:]]
        graph_def = _graph(
            lambda: tf.nn.relu(_norm(_image(shape=shape), data_format="NDHWC").y, name="y")
        )
        folded, notes = _fold(graph_def)
        self.assertEmpty(notes)
        np.testing.assert_allclose(
            _run(folded, shape), _run(graph_def, shape), rtol=1e-5, atol=1e-5
        )

    def test_other_layouts_stay(self):
        graph_def = _graph(lambda: _norm(_image(shape=[1, 3, 2, 2]), data_format="NCHW"))
        folded, notes = _fold(graph_def)
        self.assertRegex(notes[0], "its channels are not the last dimension\\.$")
        self.assertEqual(folded, graph_def)

    def test_outputs_of_the_model_count_as_used(self):
        folded, notes = _fold(_graph(_plain), outputs=["y", "bn:1"])
        self.assertRegex(notes[0], "more than its first output is used\\.$")
        self.assertEqual(folded, _graph(_plain))
        self.assertEmpty(_fold(_graph(_plain), outputs=["bn", "bn:0"])[1])

    def test_an_input_of_the_model_is_no_constant(self):
        for fed in ("scale", "scale:0"):
            folded, notes = _fold(_graph(_plain), inputs=["x", fed])
            self.assertRegex(notes[0], "its scale, scale, is not a constant\\.$")
            self.assertEqual(folded, _graph(_plain))

    def test_the_output_number_0(self):
        graph_def = _graph(_plain)
        expected, _ = _fold(graph_def)
        _node(graph_def, "bn").input[1] = "scale:0"
        _node(graph_def, "y").input[0] = "bn:0"
        folded, notes = _fold(graph_def)
        self.assertEmpty(notes)
        np.testing.assert_array_equal(_run(folded), _run(expected))

    def test_gradients_stay(self):
        def build():
            parts = dict(y_backprop=_image(), x=tf.ones(_SHAPE), scale=tf.ones([3]))
            ones = dict(reserve_space_1=tf.ones([3]), reserve_space_2=tf.ones([3]))
            tf.raw_ops.FusedBatchNormGrad(**parts, **ones, is_training=False)

        graph_def = _graph(build)
        self.assertEqual(_fold(graph_def), (graph_def, []))

    @parameterized.parameters(
        (lambda node: node.attr.pop("value"), "its scale, scale, cannot be read"),
        (lambda node: node.attr["value"].Clear(), "its scale, scale, cannot be read"),
        (
            lambda node: node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1.0])),
            "its parameters have different lengths",
        ),
        (
            lambda node: node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1.0)),
            "its scale, scale, is not a list of float32",
        ),
        (
            lambda node: node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1, 2, 3])),
            "its scale, scale, is not a list of float32",
        ),
        (
            lambda node: node.attr["value"].tensor.CopyFrom(
                tf.make_tensor_proto([np.inf, 1.0, 1.0])
            ),
            "its parameters give numbers that are not finite",
        ),
        (lambda node: setattr(node, "op", "Identity"), "its scale, scale, is not a constant"),
        (lambda node: setattr(node, "name", "other"), "its scale, scale, is not a constant"),
        (
            lambda node: (setattr(node, "op", "Identity"), node.input.append("scale")),
            "its scale, scale, is not a constant",
        ),
    )
    def test_damaged_parameters_are_left_to_the_converter(self, damage, reason):
        graph_def = _graph(_plain)
        damage(_node(graph_def, "scale"))
        folded, notes = _fold(graph_def)
        self.assertEqual(notes, [f"bn: the batch norm is left to the converter: {reason}."])
        self.assertEqual(folded, graph_def)

    def test_a_missing_input_is_left_to_the_converter(self):
        graph_def = _graph(_plain)
        del _node(graph_def, "bn").input[4]
        folded, notes = _fold(graph_def)
        self.assertRegex(notes[0], "it has 4 inputs\\.$")
        self.assertEqual(folded, graph_def)

    @parameterized.parameters({}, {"epsilon": 0.001})
    def test_the_constants_are_rounded_once(self, **attributes):
        graph_def = _graph(lambda: _norm(_image(), **attributes))
        if not attributes:
            # Canonical graphs leave it out.
            del _node(graph_def, "bn").attr["epsilon"]
        folded, _ = _fold(graph_def)
        given = {key: np.array(value, np.float32).astype(float) for key, value in _VALUES.items()}
        epsilon = np.float64(np.float32(attributes["epsilon"])) if attributes else 1e-4
        scale = given["scale"] / np.sqrt(given["variance"] + epsilon)
        offset = given["offset"] - given["mean"] * scale
        for what, expected in (("scale", scale), ("offset", offset)):
            values = tf.make_ndarray(_node(folded, f"bn/folded_{what}").attr["value"].tensor)
            np.testing.assert_array_equal(values, expected.astype(np.float32))

    def test_the_constants_of_another_cpu(self):
        # 8 channels, since Eigen estimates no root of fewer.
        given = {key: np.resize(np.float32(value), 8) for key, value in _VALUES.items()}

        def build():
            constants = {key: tf.constant(value, name=key) for key, value in given.items()}
            tf.nn.relu(_norm(_image(shape=[1, 2, 2, 8]), epsilon=1e-3, **constants).y, name="y")

        found = []
        for fold in (folds.named("intel, 2.3"), folds.named("arm, 2.13")):
            folded, notes = _fold(_graph(build), compute=fold.constants)
            self.assertEmpty(notes)
            names = ("bn/folded_scale", "bn/folded_offset")
            values = [tf.make_ndarray(_node(folded, name).attr["value"].tensor) for name in names]
            factor = given["scale"] * fold.rsqrt(given["variance"] + np.float32(1e-3))
            np.testing.assert_array_equal(values[0], factor)
            np.testing.assert_array_equal(values[1], given["offset"] - given["mean"] * factor)
            found.append(values[0].tolist())
        self.assertNotEqual(*found)


if __name__ == "__main__":
    absltest.main()
