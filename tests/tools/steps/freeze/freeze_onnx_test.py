import os
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import tensorflow as tf
from absl.testing import absltest, parameterized
from onnx import external_data_helper, helper, reference

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.rounding import folds
from reproducible_tflite.lib.signature.signature import End
from reproducible_tflite.steps.freeze import freeze_onnx, onnx_agreement, onnx_model
from tests.tools.steps.freeze import freezing, sample_onnx

_BASIC_PITCH = pathlib.Path(sys.argv.pop())


def _sample(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


class FreezeOnnxTest(freezing.TestCase):
    program = freeze_onnx

    def _saved(self, model: onnx.ModelProto) -> pathlib.Path:
        path = self.folder / "model.onnx"
        onnx.save(model, str(path))
        return path

    def _check(self, model: onnx.ModelProto, orders: dict[str, tuple], **values) -> None:
        """Checks the result of a model against ONNX's own reference.

        Args:
          model: the model.
          orders: the orders of axes that inputs and outputs are expected to get.
          **values: flags.
        """
        graph, stated = self.freeze(self._saved(model), **values)
        feeds, given = {}, {}
        for end in stated.inputs:
            order = orders.get(end.name, tuple(range(len(end.shape))))
            value = _sample(tuple(np.array(end.shape)[np.argsort(order)]))
            feeds[end.name], given[end.array] = value, value.transpose(order)
        expected = reference.ReferenceEvaluator(model).run(None, feeds)
        found = freezing.run(graph, [end.array for end in stated.outputs], given)
        self.assertEqual(
            [end.name for end in stated.inputs], [value.name for value in model.graph.input]
        )
        self.assertEqual(
            [end.name for end in stated.outputs], [value.name for value in model.graph.output]
        )
        for end, result, wanted in zip(stated.outputs, found, expected, strict=True):
            wanted = wanted.transpose(orders.get(end.name, range(wanted.ndim)))
            self.assertEqual(end.shape, wanted.shape)
            np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)

    @parameterized.named_parameters(
        ("dense", sample_onnx.dense, {}),
        ("classifier", sample_onnx.classifier, {"image:0": (0, 2, 3, 1)}),
        ("features", sample_onnx.features, dict.fromkeys(["image", "features"], (0, 2, 3, 1))),
        ("two_ends", sample_onnx.two_ends, {}),
        ("attention", sample_onnx.attention, {"tokens": (0, 2, 1)}),
    )
    def test_a_model(self, model, orders):
        self._check(model(), orders)
        self._check(model(), {}, keep_shapes=True)

    def test_the_signature(self):
        _, stated = self.freeze(self._saved(sample_onnx.classifier()))
        self.assertEqual(stated.name, "serving_default")
        self.assertEqual(stated.inputs, (End("image:0", "image_0", "float32", (1, 8, 6, 3)),))
        self.assertEqual(stated.outputs, (End("/classes", "Identity", "float32", (1, 5)),))

    def test_the_bytes_depend_on_the_model_alone(self):
        path = self._saved(sample_onnx.classifier())
        found = self.freeze(path)[0]
        folder = pathlib.Path(self.create_tempdir().full_path)
        outputs = [folder / "graph.pb", folder / "signature.json"]
        arguments = [f"--source={path}", f"--output={outputs[0]}"]
        subprocess.run(
            [sys.executable, freeze_onnx.__file__, *arguments, f"--signature_output={outputs[1]}"],
            env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)},
            check=True,
            cwd=folder,
        )
        self.assertEqual(outputs[0].read_bytes(), found)

    def test_batch_norms_do_not_depend_on_the_cpu(self):
        random = np.random.default_rng(1)
        scale, spread = random.uniform(0.5, 2, [2, 64]).astype(np.float32)
        names = ["x", "scale", "zeros", "zeros", "spread"]
        model = sample_onnx.model(
            [helper.make_node("BatchNormalization", names, ["y"], epsilon=0.5)],
            {"x": [1, 64, 2, 2]},
            {"y": [1, 64, 2, 2]},
            {"scale": scale, "zeros": np.zeros(64, np.float32), "spread": spread},
        )
        graph, _ = self.freeze(self._saved(model))
        factor = scale * folds.exact_root(spread + np.float32(0.5))
        stored = [
            tf.make_ndarray(node.attr["value"].tensor).ravel().tolist()
            for node in tf.compat.v1.GraphDef.FromString(graph).node
            if node.op == "Const"
        ]
        self.assertIn(factor.tolist(), stored)

    def test_a_function_of_the_model(self):
        model = sample_onnx.dense(op="Twice", domain="own")
        body = [helper.make_node("Add", ["a", "a"], ["b"])]
        opsets = [helper.make_opsetid("", 17)]
        model.functions.append(helper.make_function("own", "Twice", ["a"], ["b"], body, opsets))
        model.opset_import.append(helper.make_opsetid("own", 1))
        self._check(model, {})

    def _in_two_files(self) -> tuple[pathlib.Path, pathlib.Path]:
        """Returns the classifier and its weights."""
        path = self._saved(sample_onnx.classifier())
        model = onnx.load(str(path))
        external_data_helper.convert_model_to_external_data(
            model, location="model.onnx.data", size_threshold=0
        )
        onnx.save(model, str(path))
        return path, self.folder / "model.onnx.data"

    def test_weights_in_another_file(self):
        expected = self.freeze(self._saved(sample_onnx.classifier()))
        path, weights = self._in_two_files()
        self.assertEqual(self.freeze(path, data=[str(weights)]), expected)

    def test_weights_that_are_missing(self):
        path, weights = self._in_two_files()
        self.assert_refused(
            path,
            "the weights of kernel are in model.onnx.data, which is not there; give it too, data ="
            " \\['model.onnx.data'\\]\\.$",
        )
        content = weights.read_bytes()
        other = self.folder / "other.data"
        other.write_bytes(content)
        self.assert_refused(
            path,
            "has no weights in other.data; leave it out of data",
            data=[str(weights), str(other)],
        )
        weights.write_bytes(content[:-4])
        self.assert_refused(path, "is truncated: the weights of offset end", data=[str(weights)])

    def test_shapes_that_are_given(self):
        path = self._saved(sample_onnx.classifier("batch"))
        _, stated = self.freeze(path, input_shapes="2,3,8,6")
        self.assertEqual(stated.inputs[0].shape, (2, 8, 6, 3))
        self.assertEqual(stated.outputs[0].shape, (2, 5))

    def test_open_shapes(self):
        path = self._saved(sample_onnx.classifier("batch"))
        self.assert_refused(
            path,
            "the input image:0 has no fixed shape, but \\?,3,8,6; give input_shapes, one of each of"
            " image:0\\.$",
        )
        self.assert_refused(
            path,
            "input_shapes: 2,8,6,3 is not a shape of image:0, which is \\?,3,8,6; correct it\\.$",
            input_shapes="2,8,6,3",
        )
        self.assert_refused(
            path, "has 2 shapes, and the model has 1 inputs, image:0; ", input_shapes="1:2"
        )
        self.assert_refused(
            self._saved(sample_onnx.dense(shape=["rows", "columns"])),
            "does not fit the shapes of its inputs: .*; correct input_shapes",
            input_shapes="1,5",
        )

    def test_other_files(self):
        path = self._saved(sample_onnx.classifier())
        content = path.read_bytes()
        path.write_bytes(content[:-10])
        self.assert_refused(path, "is a truncated or damaged ONNX model; get it again\\.$")
        path.write_bytes(content[:2])
        self.assert_refused(path, "is not an ONNX model with nodes, or a truncated one; get it ")
        path.write_bytes(b"\x89HDF\r\n\x1a\n")
        self.assert_refused(path, "is not an ONNX model; give a file as torch.onnx.export ")
        path.write_bytes(b"")
        self.assert_refused(path, "the ONNX model is empty")

    def test_ops_that_cannot_be_converted(self):
        for model, sentence in (
            (
                sample_onnx.dense(op="Gelu", domain="com.microsoft"),
                "the op Gelu is of com.microsoft and not of ONNX itself; export the model without ",
            ),
            (
                sample_onnx.dense(op="CenterCropPad"),
                "onnx2tf 1.26.9 does not convert the op CenterCropPad; export the model without it",
            ),
        ):
            self.assert_refused(self._saved(model), sentence)

    def test_other_opsets(self):
        for opset in (6, 22):
            model = sample_onnx.dense()
            model.opset_import[0].version = opset
            self.assert_refused(
                self._saved(model), f"is of opset {opset}, and 7 to 21 can be read; export it again"
            )

    def test_models_that_are_not_valid(self):
        model = sample_onnx.dense()
        model.graph.node[1].input[0] = "missing"
        self.assert_refused(self._saved(model), "is not valid: .*missing.*; export it again\\.$")
        text = sample_onnx.dense()
        text.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.STRING
        self.assert_refused(self._saved(text), "x is no tensor of numbers, which TensorFlow Lite ")
        without = sample_onnx.dense()
        del without.graph.input[:]
        self.assert_refused(self._saved(without), "is not valid: .*; export it again")

    def test_a_conversion_that_fails(self):
        # onnx2tf loses a slice of 309 out of 324 bins.
        self.assert_refused(
            _BASIC_PITCH,
            "onnx2tf 1.26.9 cannot convert it at the node .*mul_1.* \\(Mul\\): Dimensions must be"
            " equal, but are 324 and 309 .*; export it without this op, or give a Saved",
            input_shapes="1,43844,1",
            keep_shapes=True,
        )

    def test_a_result_that_differs(self):
        # Every run draws other numbers.
        model = sample_onnx.dense(op="RandomNormalLike")
        self.assert_refused(
            self._saved(model),
            "the conversion is wrong: the output y differs by .* of its largest value from what"
            " ONNX Runtime 1.20.1 computes, and may by 0.001; try keep_shapes = True, or give",
        )


class AgreementTest(absltest.TestCase):
    def test_difference(self):
        nan, inf = float("nan"), float("inf")
        for found, expected, least, most in (
            ([1.0, 2.0], [1.0, 2.0], 0, 0),
            ([1.0, 2.1], [1.0, 2.0], 0.04, 0.05),
            ([nan, 1.0, inf], [nan, 1.0, inf], 0, 0),
            ([nan, 1.0], [1.0, 1.0], inf, inf),
            ([1.0, -inf], [1.0, inf], inf, inf),
            ([1e-9], [0.0], 0, 1e-5),
            ([1e-3], [0.0], 0.5, 1),
            ([[1.0]], [1.0], inf, inf),
        ):
            drift = onnx_agreement.difference(np.array(found), np.array(expected))
            self.assertBetween(drift, least, most, f"{found} {expected}")

    def test_layout(self):
        value = _sample((2, 3, 3))
        self.assertEqual(onnx_agreement.layout(value, value), (0, 1, 2))
        self.assertEqual(onnx_agreement.layout(value.transpose(0, 2, 1), value), (0, 2, 1))
        self.assertEqual(onnx_agreement.layout(np.zeros([2, 3, 3]), np.zeros([2, 3, 3])), (0, 1, 2))

    def test_what_cannot_be_run(self):
        model = sample_onnx.dense(shape=(1, 5))
        with self.assertRaisesRegex(cli.UserError, "ONNX Runtime 1.20.1 cannot run it, so no "):
            onnx_agreement.reference(model, "model.onnx")({"x": _sample((1, 5))})


class NamesTest(absltest.TestCase):
    def test_names_that_tensorflow_does_not_allow(self):
        model = sample_onnx.model(
            [
                helper.make_node("Relu", ["x:0"], ["/Y"], name="/y"),
                helper.make_node("Relu", ["/Y"], ["y z"]),
            ],
            {"x:0": [1]},
            {"y z": [1]},
            {},
        )
        graph = onnx_model.with_safe_names(model).graph
        self.assertEqual([node.name for node in graph.node], ["y_1", "Relu"])
        self.assertEqual([*graph.node[0].input, *graph.node[1].input], ["x_0", "Y"])
        self.assertEqual([graph.input[0].name, graph.output[0].name], ["x_0", "y_z"])


if __name__ == "__main__":
    absltest.main()
