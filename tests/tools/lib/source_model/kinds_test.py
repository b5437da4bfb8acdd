import pathlib

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.source_model import kinds
from reproducible_tflite.lib.source_model.kinds import Kind
from tests.tools.new import model_files

_INDEX = bytes(40) + bytes.fromhex("57fb808b247547db")
_GRAPH = model_files.graph_def(["Relu", "out", "image"]).SerializeToString()


class KindsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _of(self, name: str, content: bytes | None = None) -> tuple[Kind, str]:
        if content is not None:
            (self.folder / name).write_bytes(content)
        return kinds.of(str(self.folder / name), name)

    @parameterized.named_parameters(
        ("h5", model_files.hdf5(model_files.CLASSIFIER), Kind.KERAS),
        ("keras", model_files.keras(model_files.CLASSIFIER), Kind.KERAS),
        ("graph", _GRAPH, Kind.FROZEN_GRAPH),
        ("graph_with_debug_info", _GRAPH + b"\x2a\x00", Kind.FROZEN_GRAPH),
        ("onnx", model_files.ONNX, Kind.ONNX),
        ("tflite", model_files.TFLITE, Kind.TFLITE),
    )
    def test_by_content(self, content, kind):
        for name in ("net", "net.h5", "net.pb", "net.tflite"):
            self.assertEqual(self._of(name, content), (kind, str(self.folder / name)))

    def test_a_saved_model(self):
        model_files.saved_model(self.folder / "net", {"serving_default": [1, 2]})
        expected = (Kind.SAVED_MODEL, str(self.folder / "net"))
        self.assertEqual(self._of("net"), expected)
        self.assertEqual(self._of("net/saved_model.pb"), expected)
        content = (self.folder / "net/saved_model.pb").read_bytes()
        with self.assertRaisesRegex(cli.UserError, "give it that name again"):
            self._of("other.pb", content)

    def test_a_checkpoint(self):
        (self.folder / "model.ckpt.data-00000-of-00001").write_bytes(bytes(9))
        self._assert_checkpoint("model.ckpt.index", _INDEX)
        for name in ("model.ckpt", "model.ckpt.data-00000-of-00001", ""):
            self._assert_checkpoint(name)

    def _assert_checkpoint(self, name: str, content: bytes | None = None) -> None:
        with self.assertRaisesRegex(
            cli.UserError, r"^[^\n]*checkpoint \(model.ckpt.index\).*architecture"
        ):
            self._of(name, content)

    @parameterized.named_parameters(
        ("empty", "net.pb", b"", "is empty"),
        ("a web page", "net.h5", model_files.HTML, "is a web page"),
        ("truncated", "net.pb", _GRAPH[:-1], "not a frozen graph; it may be truncated"),
        ("truncated onnx", "net.onnx", model_files.ONNX[:-1], "not an ONNX model"),
        ("no h5", "net.h5", b"text", "not a Keras model"),
        ("endless number", "net.pb", b"\xff" * 40, "not a frozen graph"),
        ("unknown type", "net.txt", b"a text", "net.txt: is no model .*; give a .h5, .keras"),
        ("a pickle", "net.pt", b"\x80\x02}", "is a Python pickle"),
        ("a picture", "net.pb", b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
    )
    def test_refused(self, name, content, message):
        with self.assertRaisesRegex(cli.UserError, message):
            self._of(name, content)

    def test_what_is_no_message_is_said_once(self):
        for content, message in (
            (b"", "the model is empty"),
            (model_files.HTML, "is a web page"),
            (b"\xff" * 40, "^net: is not a SavedModel, or truncated"),
        ):
            path = self.folder / "saved_model.pb"
            path.write_bytes(content)
            with self.assertRaisesRegex(cli.UserError, message) as caught:
                kinds.parsed(model_files.graph_def(), str(path), "net", Kind.SAVED_MODEL)
            self.assertEqual("or truncated" in str(caught.exception), message.startswith("^"))

    def test_missing(self):
        with self.assertRaisesRegex(cli.UserError, "No such file"):
            self._of("missing.h5")
        with self.assertRaisesRegex(cli.UserError, "is a folder without saved_model.pb"):
            self._of("")


if __name__ == "__main__":
    absltest.main()
