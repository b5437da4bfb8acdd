import json
import pathlib
import sys
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.plain_conversion import convert
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.steps.convert import tiny_graph

_ARRAYS = {"input_arrays": [tiny_graph.INPUT], "output_arrays": [tiny_graph.OUTPUT]}


class ConvertTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(absltest.get_default_test_tmpdir())
        model = tf.keras.Sequential(
            [tf.keras.layers.Conv2D(4, 3, input_shape=(None, None, 3)), tf.keras.layers.ReLU()]
        )
        model.save(cls.folder / "net.h5")
        tf.saved_model.save(model, str(cls.folder / "net"))
        for name, ranges in (("float.pb", ()), ("aware.pb", tiny_graph.ALL_RANGES)):
            (cls.folder / name).write_bytes(tiny_graph.tiny_graph(ranges))

    def _convert(self, source, **settings):
        path, output = self.folder / "settings.json", self.folder / "out.tflite"
        path.write_text(json.dumps({"source": str(self.folder / source), **settings}))
        with mock.patch.object(sys, "argv", ["convert.py", str(path), str(output)]):
            convert.main()
        return reader.read(output.read_bytes(), "out")

    @parameterized.parameters(
        ("net", "saved_model", {}, "serving_default_", [-1, -1, -1, 3]),
        ("net", "concrete_function", {"x": [1, 8, 8, 3]}, "conv2d_input", [1, 8, 8, 3]),
        ("net.h5", "keras", {}, "serving_default_", [-1, -1, -1, 3]),
        ("net.h5", "keras_saved_model", {}, "serving_default_", [-1, -1, -1, 3]),
        ("net.h5", "keras_v1", {}, "conv2d_input", [-1, -1, -1, 3]),
        ("net.h5", "keras_function", {"x": [None, 8, 8, 3]}, "conv2d_input", [-1, 8, 8, 3]),
    )
    def test_routes(self, source, route, shapes, name, signature):
        model = self._convert(source, route=route, input_shapes=shapes)
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        self.assertStartsWith(tensor.name, name)
        self.assertEqual(list(tensor.shape_signature), signature)

    def test_inputs_of_a_function_have_the_names_that_are_given(self):
        settings = {"input_names": ["picture"], "with_model": True}
        model = self._convert("net.h5", route="keras_function", **settings)
        (signature,) = model.signatures
        self.assertEqual(list(signature.inputs), ["picture"])

    def test_a_saved_model_by_the_older_interface(self):
        model = self._convert(
            "net",
            route="saved_model_v1",
            input_shapes={"serving_default_conv2d_input": [1, 8, 8, 3]},
        )
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        self.assertEqual(tensor.name, "serving_default_conv2d_input")

    @parameterized.parameters((False, "TOCO Converted."), (True, "MLIR Converted."))
    def test_both_converters(self, new, description):
        model = self._convert("float.pb", route="frozen_graph", new_converter=new, **_ARRAYS)
        self.assertEqual(model.description, description)

    def test_a_quantization_aware_graph_through_toco(self):
        model = self._convert(
            "aware.pb",
            route="frozen_graph",
            new_converter=False,
            inference_type="uint8",
            statistics={tiny_graph.INPUT: [128, 128]},
            change_concat_input_ranges=True,
            **_ARRAYS,
        )
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        self.assertEqual((tensor.dtype, tensor.scaling), ("UINT8", (1 / 128, 128)))

    def test_default_ranges(self):
        model = self._convert(
            "float.pb",
            route="frozen_graph",
            new_converter=False,
            inference_type="uint8",
            statistics={tiny_graph.INPUT: [0, 255]},
            default_ranges=[0, 6],
            **_ARRAYS,
        )
        self.assertEqual(model.subgraphs[0].tensors[model.subgraphs[0].outputs[0]].dtype, "UINT8")

    @parameterized.parameters(True, False)
    def test_samples_have_the_range_that_is_given(self, quantizer):
        model = self._convert(
            "net",
            optimize=True,
            samples=[-1, 3],
            input_shapes={"x": [None, None, None, 3]},
            input_type="int8",
            supported_ops=["TFLITE_BUILTINS_INT8"],
            new_quantizer=quantizer,
        )
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        self.assertEqual(tensor.dtype, "INT8")
        self.assertAlmostEqual(tensor.scaling[0], 4 / 255, delta=1e-6)

    def test_samples_of_a_file(self):
        samples = np.linspace(-1, 3, 2 * 8 * 8 * 3).reshape(2, 8, 8, 3)
        path = self.folder / "samples.npz"
        np.savez(path, labels=np.zeros(2), pictures=samples)
        settings = {"optimize": True, "input_type": "int8"}
        shapes = {"input_shapes": {"x": [None, None, None, 3]}, "samples_file": str(path)}
        model = self._convert("net", **settings, **shapes)
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        self.assertAlmostEqual(tensor.scaling[0], 4 / 255, delta=1e-6)
        shapes["input_shapes"] = {"x": [None, 5]}
        with self.assertRaisesRegex(ValueError, "no array for the input x of shape"):
            self._convert("net", **settings, **shapes)

    def test_samples_of_inputs_of_other_types_and_of_the_right_name(self):
        class Looked(tf.Module):
            @tf.function(
                input_signature=[
                    tf.TensorSpec([1, 4], tf.int32, "ids"),
                    tf.TensorSpec([1, 4], tf.float32, "x"),
                ]
            )
            def look_up(self, ids, x):
                table = tf.reshape(tf.range(64.0), [16, 4])
                return {"y": tf.gather(table, ids) * x[..., tf.newaxis]}

        module, path = Looked(), self.folder / "two.npz"
        tf.saved_model.save(module, str(self.folder / "two"), signatures=module.look_up)
        shapes = {f"serving_default_{name}": [1, 4] for name in ("ids", "x")}
        types = {"serving_default_ids": "int32"}
        settings = {"optimize": True, "input_shapes": shapes, "input_types": types}
        np.savez(path, x=np.full([3, 4], 2.0), ids=np.full([3, 4], 15))
        for samples in ({"samples_file": str(path)}, {"samples": [0, 2]}):
            graph = self._convert("two", **settings, **samples).subgraphs[0]
            scale = next(t for t in graph.tensors if t.shape == (1, 4, 1)).scaling[0]
            self.assertAlmostEqual(scale, 2 / 255, delta=1e-6)
        np.savez(path, x=np.full([3, 4], 2.0))
        with self.assertRaisesRegex(ValueError, "no array for the input serving_default_ids"):
            self._convert("two", **settings, samples_file=str(path))

    def test_16_bit_activations(self):
        name = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
        model = self._convert(
            "net",
            optimize=True,
            samples=[-1, 1],
            input_shapes={"x": [None, None, None, 3]},
            supported_ops=[name],
            input_type="int16",
        )
        self.assertEqual(model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].dtype, "INT16")

    def test_a_signature_of_another_name(self):
        class Doubled(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
            def double(self, x):
                return {"y": x + x}

        module = Doubled()
        folder = str(self.folder / "signed")
        tf.saved_model.save(module, folder, signatures={"double": module.double})
        model = self._convert("signed", signature="double")
        self.assertEqual([signature.key for signature in model.signatures], ["double"])

    def test_float16(self):
        model = self._convert("net.h5", route="keras", optimize=True, float16=True)
        types = {tensor.dtype for tensor in model.subgraphs[0].tensors}
        self.assertIn("FLOAT16", types)

    def test_unknown_settings_are_refused(self):
        with self.assertRaisesRegex(ValueError, "colour"):
            self._convert("net", colour="red")


if __name__ == "__main__":
    absltest.main()
