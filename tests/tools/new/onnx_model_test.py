import pathlib

import onnx
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.new import onnx_model
from reproducible_tflite.new.found import Port
from tests.tools.steps.freeze import sample_onnx


class OnnxModelTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "net.onnx")

    def _read(self, model: onnx.ModelProto, **options):
        onnx.save(model, str(self.path), **options)
        return onnx_model.read(str(self.path), "net.onnx")

    def test_what_is_found(self):
        found = self._read(sample_onnx.classifier("batch"))
        self.assertEqual(found.inputs, [Port("image:0", "float32", (None, 3, 8, 6))])
        self.assertEqual(found.outputs, [Port("/classes", "float32", (None, 5))])
        self.assertEqual((found.operators, found.data), (7, []))

    @parameterized.named_parameters(
        ("pictures", sample_onnx.classifier, True),
        ("arrays", sample_onnx.dense, False),
        ("sequences", sample_onnx.attention, False),
    )
    def test_channels_first(self, model, expected):
        self.assertEqual(self._read(model()).channels_first, expected)

    def test_weights_in_another_file(self):
        options = {"save_as_external_data": True, "location": "net.data", "size_threshold": 0}
        self.assertEqual(self._read(sample_onnx.dense(), **options).data, ["net.data"])

    def test_refused(self):
        self.path.write_bytes(sample_onnx.dense().SerializeToString()[:-9])
        with self.assertRaisesRegex(cli.UserError, "net.onnx: is a truncated or damaged ONNX mod"):
            onnx_model.read(str(self.path), "net.onnx")
        model = sample_onnx.dense()
        del model.graph.input[:]
        with self.assertRaisesRegex(cli.UserError, "net.onnx: the model has no input; "):
            self._read(model)


if __name__ == "__main__":
    absltest.main()
