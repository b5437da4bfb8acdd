"""The MLIR converter on a graph whose source states its inputs and outputs."""

import dataclasses
import pathlib
from collections.abc import Callable
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, flagsaver, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.convert import mlir
from tests.tools.steps.convert import tiny_graph

_SIGNATURE = signature.Signature(
    "infer",
    (
        signature.End("bias", "b", "float32", (None, 2)),
        signature.End("picture", "a", "float32", (None, 4, 4, 3)),
    ),
    (
        signature.End("flat", "out", "float32", (None, 32)),
        signature.End("shifted", "shift", "float32", (None, 2)),
    ),
)


def _graph() -> tf.Graph:
    """Returns a graph with the arrays of `_SIGNATURE`."""
    with tf.Graph().as_default() as graph:
        picture = tf.compat.v1.placeholder(tf.float32, [None, 4, 4, 3], "a")
        bias = tf.compat.v1.placeholder(tf.float32, [None, 2], "b")
        kernel = tf.constant([0.5, -0.25] * 3, tf.float32, [1, 1, 3, 2])
        convolution = tf.nn.conv2d(picture, kernel, 1, "SAME")
        tf.reshape(convolution, [-1, 32], "out")
        tf.add(tf.reduce_mean(convolution, [1, 2]), bias, "shift")
    return graph


class SignatureTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.output = self.folder / "model.tflite"
        self.random = np.random.default_rng(1)
        self._write(_graph())

    def _write(self, graph: tf.Graph, stated: signature.Signature = _SIGNATURE) -> None:
        (self.folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
        signature.write(str(self.folder / "signature.json"), stated)

    def _convert(self, **values) -> tf.lite.Interpreter:
        with flagsaver.flagsaver(
            graph_def_file=str(self.folder / "graph.pb"),
            signature=str(self.folder / "signature.json"),
            output_file=str(self.output),
            **values,
        ):
            mlir.main(["mlir"])
        return tf.lite.Interpreter(str(self.output))

    def _assert_refused(self, sentence: str, **values) -> None:
        with self.assertRaisesRegex(cli.UserError, sentence):
            self._convert(**values)
        self.assertFalse(self.output.exists())

    def _values(self, count: int) -> dict[str, np.ndarray]:
        return {
            "bias": self.random.uniform(-1, 1, [count, 2]).astype(np.float32),
            "picture": self.random.uniform(-1, 1, [count, 4, 4, 3]).astype(np.float32),
        }

    def _quantized(self, change: Callable[[dict], dict] = lambda values: values) -> dict:
        path, values = self.folder / "samples.npz", self._values(8)
        for array in values.values():
            array[:2] = np.reshape([-1, 1], [2] + [1] * (array.ndim - 1))
        np.savez(path, **change(values))
        return {"representative_dataset": str(path), "optimizations": ["DEFAULT"]}

    def _assert_right(self, interpreter: tf.lite.Interpreter, batch: int, atol: float) -> None:
        values = self._values(batch)
        means = values["picture"].mean(axis=(1, 2)).sum(axis=1)
        results = interpreter.get_signature_runner("infer")(**values)
        np.testing.assert_allclose(
            results["shifted"],
            values["bias"] + means[:, None] * [[0.5, -0.25]],
            rtol=1e-5,
            atol=atol,
        )
        self.assertEqual(results["flat"].shape, (batch, 32))

    def test_the_signature_and_an_open_batch_stay(self):
        interpreter = self._convert()
        self.assertEqual(
            interpreter.get_signature_list(),
            {"infer": {"inputs": ["bias", "picture"], "outputs": ["flat", "shifted"]}},
        )
        shapes = [list(entry["shape_signature"]) for entry in interpreter.get_input_details()]
        self.assertEqual(shapes, [[-1, 2], [-1, 4, 4, 3]])
        self._assert_right(interpreter, 1, 1e-5)
        self._assert_right(self._convert(), 3, 1e-5)

    def test_without_the_signature_the_rest_stays(self):
        ends = [
            [list(entry["shape_signature"]) for entry in details()]
            for interpreter in (self._convert(), self._convert(keep_signature=False))
            for details in (interpreter.get_input_details, interpreter.get_output_details)
        ]
        self.assertEqual(ends[:2], ends[2:])
        self.assertEqual(tf.lite.Interpreter(str(self.output)).get_signature_list(), {})

    @parameterized.parameters(
        {"input_arrays": ["picture", "bias"]}, {"input_arrays": ["a:0", "bias"]}
    )
    def test_a_batch_that_is_given(self, input_arrays):
        interpreter = self._convert(input_arrays=input_arrays, input_shapes="2,4,4,3:2,2")
        shapes = [list(entry["shape_signature"]) for entry in interpreter.get_input_details()]
        self.assertEqual(shapes, [[2, 4, 4, 3], [2, 2]])

    def test_some_outputs(self):
        interpreter = self._convert(output_arrays=["shift"])
        self.assertEqual(interpreter.get_signature_list()["infer"]["outputs"], ["shifted"])

    @parameterized.parameters("FLOAT", "INT8", "UINT8")
    def test_samples_as_the_model_takes_them(self, kind):
        with mock.patch.object(mlir, "with_rounded_ranges", side_effect=mlir.with_rounded_ranges):
            interpreter = self._convert(
                inference_input_type=kind, inference_output_type=kind, **self._quantized()
            )
        details = interpreter.get_input_details() + interpreter.get_output_details()
        types = {"FLOAT": np.float32, "INT8": np.int8, "UINT8": np.uint8}
        self.assertEqual({entry["dtype"] for entry in details}, {types[kind]})
        if kind == "INT8":
            self.assertEqual([entry["name"] for entry in details], ["b", "a", "out", "shift"])
        if kind == "FLOAT":
            self._assert_right(interpreter, 1, 0.05)
        self.assertEqual(
            interpreter.get_signature_list(),
            {"infer": {"inputs": ["bias", "picture"], "outputs": ["flat", "shifted"]}},
        )

    def test_the_same_bytes_again(self):
        values = self._quantized()
        self._convert(**values)
        first = self.output.read_bytes()
        self._convert(**values)
        self.assertEqual(self.output.read_bytes(), first)

    @parameterized.named_parameters(
        ("nan", "picture", lambda x: x * np.nan, "sample 0 of picture .* has NaN or an infinite"),
        ("infinity", "bias", lambda x: x / 0, "sample 0 of bias .* has NaN or an infinite"),
        ("type", "bias", lambda x: x.astype(np.float64), "bias is float64 .* takes float32; conv"),
        ("rank", "bias", lambda x: x[:, 0], "has the shape \\?,2\\.$"),
        ("size", "picture", lambda x: x[..., :2], "has the shape \\?,4,4,3\\.$"),
    )
    def test_samples_that_do_not_fit(self, name, change, sentence):
        with np.errstate(all="ignore"):
            values = self._quantized(lambda values: values | {name: change(values[name])})
        self._assert_refused(sentence, **values)

    def test_samples_by_the_names_of_arrays(self):
        values = self._quantized(lambda values: {"a": values["picture"], "b": values["bias"]})
        self._assert_refused("has the inputs a, b, but the model has bias, picture\\.$", **values)

    def test_a_graph_that_was_trained_for_quantization(self):
        graph = tf.Graph()
        with graph.as_default():
            tf.graph_util.import_graph_def(
                tf.compat.v1.GraphDef.FromString(tiny_graph.tiny_graph(tiny_graph.ALL_RANGES)),
                name="",
            )
        stated = signature.Signature(
            "infer",
            (signature.End("x", tiny_graph.INPUT, "float32", tiny_graph.SHAPE),),
            (signature.End("y", tiny_graph.OUTPUT, "float32", (1, 32)),),
        )
        self._write(graph, stated)
        interpreter = self._convert(
            optimizations=["DEFAULT"], inference_input_type="INT8", inference_output_type="INT8"
        )
        ((entry,), (result,)) = interpreter.get_input_details(), interpreter.get_output_details()
        self.assertEqual((entry["dtype"], result["dtype"]), (np.int8, np.int8))
        self.assertEqual((entry["name"], result["name"]), (tiny_graph.INPUT, tiny_graph.OUTPUT))
        self.assertAlmostEqual(entry["quantization"][0], 2 / 255, places=6)

    @parameterized.parameters(
        (
            {"input_arrays": ["picture", "c"]},
            "^--input_arrays=picture,c: 'c' is not in the signature, which has bias \\(b\\), "
            "picture \\(a\\)\\.$",
        ),
        ({"input_arrays": ["a"]}, "the signature also has bias; name all inputs, or leave it out"),
        ({"input_arrays": ["a", "picture"]}, "'picture' is named twice in the signature|twice"),
        ({"output_arrays": ["Conv2D"]}, "^--output_arrays=Conv2D: 'Conv2D' is not in the sig"),
        ({"input_shapes": "1,2"}, "^--input_shapes has 1 shapes for 2 inputs; give one each"),
        (
            {"input_shapes": "1,2:1,4,4,4"},
            "1,4,4,4 is not a shape of picture, which is \\?,4,4,3 in the signature\\.$",
        ),
        ({"input_shapes": "2:1,4,4,3"}, "2 is not a shape of bias, which is \\?,2 in the sig"),
    )
    def test_what_differs_from_the_signature(self, values, sentence):
        self._assert_refused(sentence, **values)

    @parameterized.parameters(((None, None, None, 3), "\\?,\\?,\\?,3"), (None, "of unknown rank"))
    def test_an_open_size(self, shape, text):
        picture = dataclasses.replace(_SIGNATURE.inputs[1], shape=shape)
        stated = dataclasses.replace(_SIGNATURE, inputs=(_SIGNATURE.inputs[0], picture))
        self._write(_graph(), stated)
        self._assert_refused(
            "^--input_shapes is missing: the signature leaves the shape of picture open"
            f" \\({text}\\); give every size\\.$"
        )
        self._convert(input_shapes="1,2:1,4,4,3")

    def test_a_damaged_signature(self):
        (self.folder / "signature.json").write_text("{")
        self._assert_refused("signature.json: not a signature file \\(")

    def test_neither_signature_nor_arrays(self):
        (self.folder / "signature.json").write_text("null")
        self._assert_refused(
            "^--input_arrays is missing; the graph has no signature that would state it\\.$"
        )

    def test_uint8(self):
        sentence = "^--inference_type=QUANTIZED_UINT8: a source with a signature cannot be"
        self._assert_refused(sentence, inference_type="QUANTIZED_UINT8")

    def test_a_signature_without_a_name_stands_for_arrays_and_shapes(self):
        ends = [
            tuple(dataclasses.replace(end, name=end.array) for end in some)
            for some in (_SIGNATURE.inputs, _SIGNATURE.outputs)
        ]
        self._write(_graph(), signature.Signature("", *ends))
        interpreter = self._convert()
        self.assertEqual(interpreter.get_signature_list(), {})
        shapes = {entry["name"]: list(entry["shape"]) for entry in interpreter.get_input_details()}
        self.assertEqual(shapes, {"a": [1, 4, 4, 3], "b": [1, 2]})
        stated = self.output.read_bytes()
        (self.folder / "signature.json").write_text("null")
        self._convert(
            input_arrays=["b", "a"], input_shapes="1,2:1,4,4,3", output_arrays=["out", "shift"]
        )
        self.assertEqual(self.output.read_bytes(), stated)


if __name__ == "__main__":
    absltest.main()
