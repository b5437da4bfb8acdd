import pathlib
from collections.abc import Callable

import tensorflow as tf
from absl.testing import absltest, parameterized
from google.protobuf import text_format

from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.canonicalize import graph_def as canonical
from reproducible_tflite.steps.freeze import freeze_graph
from tests.tools.steps.freeze import freezing

v1 = tf.compat.v1


def _end(name: str, shape: tuple | None, kind: str = "float32") -> signature.End:
    return signature.End(name, name, kind, shape)


class FreezeGraphTest(freezing.TestCase):
    program = freeze_graph

    def _written(self, build: Callable[[], None], change=lambda graph: None) -> pathlib.Path:
        with tf.Graph().as_default() as graph:
            build()
        graph_def = graph.as_graph_def()
        change(graph_def)
        path = self.folder / "graph.pb"
        path.write_bytes(graph_def.SerializeToString())
        return path

    def _two_inputs(self) -> None:
        second = v1.placeholder(tf.float32, [None, 4], "second")
        first = v1.placeholder(tf.int32, [2, 4], "first")
        v1.placeholder(tf.bool, [], "unused")
        total = tf.add(second, tf.cast(first, tf.float32), name="total")
        with tf.control_dependencies([total]):
            tf.no_op("leftover")
        tf.constant(1.0, name="constant")
        tf.identity(total, name="result")

    def test_placeholders_and_the_last_node(self):
        path = self._written(self._two_inputs)
        graph, stated = self.freeze(path)
        self.assertEqual(graph, canonical.canonical_bytes(path.read_bytes(), "graph"))
        self.assertEqual(
            stated,
            signature.Signature(
                "",
                (_end("second", (None, 4)), _end("first", (2, 4), "int32")),
                (_end("result", (2, 4)),),
            ),
        )

    def test_arrays_that_are_given(self):
        path = self._written(self._two_inputs)
        _, stated = self.freeze(
            path, input_arrays=["first", "second:0"], output_arrays=["total", "result"]
        )
        self.assertEqual([end.name for end in stated.inputs], ["first", "second"])
        self.assertEqual([end.name for end in stated.outputs], ["total", "result"])
        _, stated = self.freeze(path, input_arrays=["total"])
        self.assertEqual(stated.inputs, (_end("total", (2, 4)),))

    def test_the_detections_of_an_ssd(self):
        def build() -> None:
            x = v1.placeholder(tf.float32, [1, 4], "x")
            tf.identity(x, name="TFLite_Detection_PostProcess")

        def change(graph_def) -> None:
            node = graph_def.node[-1]
            node.op = "TFLite_Detection_PostProcess"
            node.attr.clear()
            types = node.attr["_output_types"].list.type
            types.extend([tf.float32.as_datatype_enum] * 4)

        _, stated = self.freeze(self._written(build, change))
        name = "TFLite_Detection_PostProcess"
        self.assertEqual(
            stated.outputs,
            tuple(_end(array, None) for array in (name, *(f"{name}:{i}" for i in (1, 2, 3)))),
        )
        self.assertEqual(stated.inputs, (_end("x", (1, 4)),))

    def test_the_last_node_is_a_batch_norm(self):
        def build() -> None:
            ones = tf.constant([1.0, 1.0])
            x = v1.placeholder(tf.float32, [1, 2, 2, 2], "x")
            v1.nn.fused_batch_norm(x, ones, ones, ones, ones, is_training=False, name="bn")

        self.assertEqual(self.freeze(self._written(build))[1].outputs[0].name, "bn")

    @parameterized.named_parameters(
        ("heads", lambda x: (tf.nn.relu(x, "a"), tf.nn.tanh(x, "b")), "several may be: a, b"),
        ("outputs", lambda x: tf.split(x, 2, name="s"), "several may be: s, s:1"),
        ("nothing", lambda x: tf.constant(1.0), "no node is at its end"),
    )
    def test_unclear_outputs(self, build, found):
        path = self._written(lambda: build(v1.placeholder(tf.float32, [4], "x")))
        self.assert_refused(
            path, f"it is not clear which arrays are the outputs, {found}; give output_arrays\\.$"
        )

    def test_wrong_arrays(self):
        path = self._written(self._two_inputs)
        self.assert_refused(
            path,
            "the graph has no 'resulted', similar are result; correct output_arrays\\.$",
            output_arrays=["resulted"],
        )
        self.assert_refused(
            path, "the graph has no '7'; correct input_arrays\\.$", input_arrays=["7"]
        )
        self.assert_refused(
            path,
            "input_arrays lacks first, on which the outputs depend; give it too\\.$",
            input_arrays=["second"],
        )
        self.assert_refused(
            path, "the outputs constant depend on no placeholder; ", output_arrays=["constant"]
        )

    def test_ranges(self):
        def build() -> None:
            x = v1.placeholder(tf.float32, [4], "x")
            tf.quantization.fake_quant_with_min_max_args(x, name="y")

        path = self._written(build)
        self.assert_refused(path, "has FakeQuant nodes, .*; give quantization_aware = True\\.$")
        self.freeze(path, quantization_aware=True)

    def test_a_graph_that_is_not_frozen(self):
        def build() -> None:
            kernel = v1.get_variable("kernel", [4], use_resource=False)
            tf.identity(v1.placeholder(tf.float32, [4], "x") * kernel)

        self.assert_refused(
            self._written(build), "is not frozen: kernel is a variable \\(1 such nodes\\); freeze "
        )

    def test_other_files(self):
        path = self._written(self._two_inputs)
        content = path.read_bytes()
        text = text_format.MessageToString(v1.GraphDef.FromString(content))
        path.write_text(text)
        self.assert_refused(path, "is a GraphDef as text; give a binary one, as tf.io.write_graph")
        path.write_bytes(content[:-10])
        self.assert_refused(path, "not a binary GraphDef, or a truncated one; export the graph ")
        path.write_bytes(b"")
        self.assert_refused(path, "the frozen graph is empty")

    def test_types_that_do_not_fit(self):
        def change(graph_def) -> None:
            graph_def.node[-1].attr["T"].type = tf.int32.as_datatype_enum

        self.assert_refused(
            self._written(self._two_inputs, change), "TensorFlow .* refuses the graph: .*; export "
        )


if __name__ == "__main__":
    absltest.main()
