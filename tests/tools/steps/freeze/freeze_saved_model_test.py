import pathlib
import shutil

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from tensorflow.core.protobuf import saved_model_pb2

from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.freeze import freeze_saved_model
from tests.tools.steps.freeze import freezing, sample_models


class FreezeSavedModelTest(freezing.TestCase):
    program = freeze_saved_model

    def _saved(self, kind: str) -> pathlib.Path:
        folder = self.folder / kind
        sample_models.KINDS[kind](str(folder))
        return folder

    def _saved_version_1(self, infer, fed=lambda x: x) -> pathlib.Path:
        """Saves a function of `x` [batch, 4], or of what `fed` makes of it, by TensorFlow 1."""
        source = self.folder / "of_version_1"
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            x = fed(tf.compat.v1.placeholder(tf.float32, [None, 4], "x"))
            y = infer(x)
            tf.compat.v1.get_variable("unused", [])
            session.run(tf.compat.v1.global_variables_initializer())
            tf.compat.v1.saved_model.simple_save(session, str(source), {"x": x}, {"y": y})
        return source

    def test_the_signature_of_a_keras_model(self):
        source = self._saved("saved_classifier")
        graph, stated = self.freeze(source)
        self.assertEqual(
            stated,
            signature.Signature(
                "serving_default",
                (signature.End("image", "image", "float32", (None, 8, 8, 3)),),
                (signature.End("classes", "Identity", "float32", (None, 5)),),
            ),
        )
        image = np.random.default_rng(1).normal(size=[2, 8, 8, 3]).astype(np.float32)
        expected = tf.saved_model.load(str(source)).signatures["serving_default"](image=image)
        (result,) = freezing.run(graph, ["Identity"], {"image": image})
        np.testing.assert_allclose(result, expected["classes"].numpy(), rtol=1e-5)

    def test_one_of_two_signatures_with_several_ends_sorted_by_name(self):
        source = self._saved("two_signatures")
        graph, stated = self.freeze(source, signature="both")
        self.assertEqual([end.name for end in stated.inputs], ["left", "right"])
        self.assertEqual([end.name for end in stated.outputs], ["product", "sum"])
        left, right = np.random.default_rng(1).normal(size=[2, 3, 4]).astype(np.float32)
        arrays = {end.name: end.array for end in stated.inputs + stated.outputs}
        product, total = freezing.run(
            graph,
            [arrays["product"], arrays["sum"]],
            {arrays["left"]: left, arrays["right"]: right},
        )
        expected = tf.saved_model.load(str(source)).signatures["both"](left=left, right=right)
        np.testing.assert_allclose(product, expected["product"].numpy(), rtol=1e-5)
        np.testing.assert_allclose(total, expected["sum"].numpy(), rtol=1e-5, atol=1e-6)

    def test_the_same_bytes_elsewhere_and_after_other_work(self):
        first, stated = self.freeze(self._saved("two_signatures"), signature="loop")
        names = [
            function.signature.name
            for function in tf.compat.v1.GraphDef.FromString(first).library.function
        ]
        self.assertNotEmpty(names)
        self.assertEqual([name for name in names if name[-1].isdigit()], [])
        # Functions get other numbers by now.
        elsewhere = self.folder / "a longer" / "path"
        shutil.copytree(self.folder / "two_signatures", elsewhere)
        self.freeze(elsewhere, signature="both")
        self.assertEqual(self.freeze(elsewhere, signature="loop"), (first, stated))

    def test_a_saved_model_of_tensorflow_1(self):
        source = self._saved("version_1")
        graph, stated = self.freeze(source)
        self.assertEqual(
            stated,
            signature.Signature(
                "serving_default",
                (signature.End("x", "entry", "float32", (None, 4)),),
                (signature.End("y", "result", "float32", (None, 3)),),
            ),
        )
        x = np.random.default_rng(1).normal(size=[2, 4]).astype(np.float32)
        (result,) = freezing.run(graph, ["result"], {"entry": x})
        expected = tf.saved_model.load(str(source)).signatures["serving_default"](tf.constant(x))
        np.testing.assert_allclose(result, expected["y"].numpy(), rtol=1e-5)

    def test_a_graph_without_ranges_that_should_have_them(self):
        self.assert_refused(
            self._saved("saved_classifier"),
            "quantization_aware = True is stated, but the graph has no FakeQuant nodes; ",
            quantization_aware=True,
        )

    def test_ranges_that_are_not_stated(self):
        class Quantized(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, "x")])
            def infer(self, x):
                return {"y": tf.quantization.fake_quant_with_min_max_args(x)}

        module, source = Quantized(), self.folder / "quantized"
        tf.saved_model.save(module, str(source), signatures=module.infer)
        self.assert_refused(source, "has FakeQuant nodes, .* give quantization_aware = True\\.$")
        self.freeze(source, quantization_aware=True)

    @parameterized.parameters("serving_default", "other")
    def test_a_signature_that_is_not_there(self, name):
        self.assert_refused(
            self._saved("two_signatures"),
            f"has no signature '{name}'; give one of both, loop\\.$",
            signature=None if name == "serving_default" else name,
        )

    def test_no_signature(self):
        source = self.folder / "bare"
        tf.saved_model.save(sample_models.TwoSignatures(), str(source), signatures={})
        self.assert_refused(source, "the SavedModel has no signature; save it with one, ")

    def test_a_ragged_output(self):
        class Ragged(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
            def infer(self, x):
                return {"y": tf.RaggedTensor.from_tensor(x)}

        module, source = Ragged(), self.folder / "ragged"
        tf.saved_model.save(module, str(source), signatures=module.infer)
        self.assert_refused(source, "the signature serving_default has sparse, ragged or composite")

    def test_a_sparse_input_of_tensorflow_1(self):
        source = self._saved("version_1")
        path = source / "saved_model.pb"
        stored = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        info = stored.meta_graphs[0].signature_def["serving_default"].inputs["x"]
        info.coo_sparse.values_tensor_name = info.name
        path.write_bytes(stored.SerializeToString())
        self.assert_refused(source, "the signature serving_default has sparse, ragged or composite")

    def test_other_tags(self):
        self.assert_refused(
            self._saved("version_1"),
            "has no graph with the tags gpu, serve, but serve; give these as tags\\.$",
            tags=["serve", "gpu"],
        )

    def test_a_folder_without_a_saved_model(self):
        self.assert_refused(self.folder, "has no saved_model.pb; give the folder of a SavedModel")
        file = self.folder / "model.h5"
        file.write_bytes(b"x")
        self.assert_refused(file, "has no saved_model.pb; give the folder of a SavedModel")

    def test_a_file_that_is_no_saved_model(self):
        (self.folder / "saved_model.pb").write_bytes(b"no protocol buffer")
        self.assert_refused(self.folder, "not a SavedModel, or a truncated one; export ")

    @parameterized.parameters("saved_classifier", "version_1")
    def test_variables_that_are_missing(self, kind):
        source = self._saved(kind)
        shutil.rmtree(source / "variables")
        self.assert_refused(
            source, "cannot be loaded: .*; its variables or assets may be missing or truncated, "
        )

    @parameterized.parameters("saved_classifier", "version_1")
    def test_variables_that_are_truncated(self, kind):
        source = self._saved(kind)
        (data,) = (source / "variables").glob("*.data-*")
        data.write_bytes(data.read_bytes()[:-20])
        self.assert_refused(
            source, "cannot be loaded: .*; its variables or assets may be missing or truncated, "
        )

    def test_a_variable_that_inference_changes(self):
        class Counter(tf.Module):
            def __init__(self):
                self.count = tf.Variable(0.0)

            @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, "x")])
            def infer(self, x):
                return {"y": x + self.count.assign_add(1.0)}

        module, source = Counter(), self.folder / "counter"
        tf.saved_model.save(module, str(source), signatures=module.infer)
        self.assert_refused(
            source,
            "counter: its variables cannot become constants: .*; export inference that only reads ",
        )

    def test_a_variable_that_inference_of_tensorflow_1_changes(self):
        def count(x):
            counter = tf.compat.v1.get_variable("counter", [], use_resource=False)
            return x + tf.compat.v1.assign_add(counter, 1.0)

        self.assert_refused(
            self._saved_version_1(count),
            "its variables cannot become constants: .*; export inference that only reads ",
        )

    def test_an_input_of_tensorflow_1_that_is_no_placeholder(self):
        self.assert_refused(
            self._saved_version_1(tf.nn.softmax, fed=lambda x: tf.multiply(x, 2.0, "doubled")),
            "the input x of the signature serving_default is the output of a node Mul, doubled; ",
        )

    def test_an_input_of_tensorflow_1_with_a_default(self):
        def with_default(x):
            return tf.compat.v1.placeholder_with_default(tf.ones([1, 4]), x.shape)

        graph, stated = self.freeze(self._saved_version_1(tf.nn.relu, fed=with_default))
        ((result,),) = freezing.run(
            graph, [stated.outputs[0].array], {stated.inputs[0].array: [[-1.0, 0, 2, 3]]}
        )
        np.testing.assert_array_equal(result, [0, 0, 2, 3])

    @parameterized.parameters("saved_classifier", "version_1")
    def test_an_op_that_tensorflow_lacks(self, kind):
        source = self._saved(kind)
        path = source / "saved_model.pb"
        stored = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        graph = stored.meta_graphs[0].graph_def
        bodies = [graph.node, *(function.node_def for function in graph.library.function)]
        for node in [node for body in bodies for node in body]:
            if node.op == "Softmax":
                node.op = "NormalizeWidgets"
        path.write_bytes(stored.SerializeToString())
        self.assert_refused(
            source, "TensorFlow .* does not define the op NormalizeWidgets; export the model w"
        )


if __name__ == "__main__":
    absltest.main()
