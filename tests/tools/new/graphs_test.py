import pathlib
from collections.abc import Sequence

from absl.testing import absltest, parameterized
from tensorflow.core.protobuf import saved_model_pb2

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.new import graphs
from reproducible_tflite.new.found import Found, Port
from tests.tools.new import model_files

_IMAGE = Port("image", "float32", (None, 8, 8, 3))


class FrozenGraphTest(parameterized.TestCase):
    def _look(self, *nodes: Sequence[str], inputs=None, outputs=None, **options) -> Found:
        path = pathlib.Path(self.create_tempdir().full_path, "net.pb")
        path.write_bytes(model_files.graph_def(*nodes, **options).SerializeToString())
        return graphs.frozen_graph(str(path), "net.pb", inputs, outputs)

    def test_ends(self):
        found = self._look(
            ["Relu", "a", "image"],
            ["Assert", "b", "a"],
            ["Relu", "out", "a:0", "^b"],
            ["TopKV2", "top", "a", "a"],
            ["Relu", "of no input", "unused"],
            ["Const", "unused"],
        )
        self.assertEqual(found.inputs, [_IMAGE])
        self.assertEqual(
            found.outputs,
            [Port("out", "float32"), Port("top", "float32"), Port("top:1", "int32")],
        )
        self.assertEqual((found.operators, found.quantization_aware), (3, False))

    def test_chosen_arrays(self):
        found = self._look(
            ["Relu", "a", "image"],
            ["Relu", "b", "a"],
            ["Relu", "c", "b"],
            inputs=["a"],
            outputs=["b"],
        )
        self.assertEqual(found.inputs, [Port("a", "float32")])
        self.assertEqual(found.outputs, [Port("b", "float32")])

    def test_shapes_of_arrays(self):
        graph = model_files.graph_def(["Relu", "a", "image"], ["Relu", "b", "a"])
        shape = graph.node[1].attr["_output_shapes"].list.shape.add()
        for size in (1, 8):
            shape.dim.add(size=size)
        path = pathlib.Path(self.create_tempdir().full_path, "net.pb")
        path.write_bytes(graph.SerializeToString())
        found = graphs.frozen_graph(str(path), "net.pb", ["a:0"], ["b"])
        self.assertEqual(found.inputs, [Port("a:0", "float32", (1, 8))])

    def test_detections(self):
        found = self._look(["TFLite_Detection_PostProcess", "boxes", "image"])
        self.assertTrue(found.custom_ops)
        self.assertEqual(
            [port.name for port in found.outputs], ["boxes", "boxes:1", "boxes:2", "boxes:3"]
        )

    @parameterized.named_parameters(
        ("per tensor", "FakeQuantWithMinMaxVars", True),
        ("per channel", "FakeQuantWithMinMaxVarsPerChannel", False),
    )
    def test_ranges(self, op, fits_toco):
        found = self._look([op, "out", "image"])
        self.assertEqual((found.quantization_aware, found.fits_toco), (True, fits_toco))

    def test_no_rank(self):
        self.assertIsNone(self._look(["Relu", "out", "image"], shape=None).inputs[0].shape)

    @parameterized.named_parameters(
        (
            "variables",
            [["VariableV2", "w"], ["Add", "out", "image", "w"]],
            "not frozen: 1 of .* such as w;",
        ),
        ("no outputs", [], "no outputs that depend on a placeholder"),
        ("no inputs", [["Relu", "out", "gone"]], "no outputs that depend on a placeholder"),
    )
    def test_refused(self, nodes, message):
        with self.assertRaisesRegex(cli.UserError, message):
            self._look(*nodes)

    def test_unknown_arrays(self):
        with self.assertRaisesRegex(cli.UserError, "has no 'outt'; .*such as out"):
            self._look(["Relu", "out", "image"], outputs=["outt"])
        with self.assertRaisesRegex(cli.UserError, "has no 'out:x'"):
            self._look(["Relu", "out", "image"], outputs=["out:x"])


class SavedModelTest(parameterized.TestCase):
    def _look(self, signatures, ops=(), signature=None, **options) -> Found:
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        model_files.saved_model(self.folder, signatures, ops, **options)
        return graphs.saved_model(str(self.folder), "net", signature)

    def test_a_signature(self):
        found = self._look({"serving_default": [None, 8, 8, 3]}, ["Conv2D", "Const"])
        self.assertEqual(
            found,
            Found(
                inputs=[_IMAGE],
                outputs=[Port("classes", "float32", (None, 10))],
                signature="serving_default",
                operators=1,
                fits_toco=True,
            ),
        )

    def test_ranges_in_functions(self):
        found = self._look({"s": [1]}, ["FakeQuantWithMinMaxVarsPerChannel"])
        self.assertEqual((found.quantization_aware, found.fits_toco), (True, False))

    def test_several_signatures(self):
        both = {"serving_default": [1], "embed": [2]}
        self.assertEqual(self._look(both, signature="embed").inputs[0].shape, (2,))
        with self.assertRaisesRegex(
            cli.UserError, "several signatures; .*--signature: embed, serving_default"
        ):
            self._look(both)
        with self.assertRaisesRegex(cli.UserError, "no signature 'x'; it has embed"):
            self._look(both, signature="x")

    def test_equal_signatures(self):
        found = self._look({"serve": [1], "serving_default": [1]})
        self.assertEqual(found.signature, "serving_default")

    def test_refused(self):
        with self.assertRaisesRegex(cli.UserError, "has no signature, so"):
            self._look({})
        with self.assertRaisesRegex(cli.UserError, "tag serve .it has train."):
            self._look({"s": [1]}, tag="train")
        with self.assertRaisesRegex(cli.UserError, "lacks variables/variables.index"):
            self._look({"s": [1]}, ["VarHandleOp"])

    def test_sparse(self):
        self._look({"s": [1]})
        path = self.folder / "saved_model.pb"
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        end = model.meta_graphs[0].signature_def["s"].inputs["image"]
        end.coo_sparse.values_tensor_name = "values:0"
        path.write_bytes(model.SerializeToString())
        with self.assertRaisesRegex(cli.UserError, "signature's image is no plain tensor"):
            graphs.saved_model(str(self.folder), "net", None)

    def test_truncated(self):
        self._look({"s": [1]})
        path = self.folder / "saved_model.pb"
        path.write_bytes(path.read_bytes()[:-3])
        with self.assertRaisesRegex(cli.UserError, "net: is not a SavedModel, or truncated"):
            graphs.saved_model(str(self.folder), "net", None)


if __name__ == "__main__":
    absltest.main()
