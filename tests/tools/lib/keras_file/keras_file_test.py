from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.keras_file import keras_file
from tests.tools.new import model_files

_HDF5 = model_files.hdf5(model_files.CLASSIFIER)
_ZIP = model_files.keras(model_files.CLASSIFIER, "3.15.1")


class KerasFileTest(parameterized.TestCase):
    def _read(self, content: bytes) -> keras_file.KerasFile:
        file = self.create_tempfile("net", content=content, mode="wb")
        return keras_file.read(file.full_path, "net")

    @parameterized.parameters((_HDF5, ".h5", "2"), (_ZIP, ".keras", "3"))
    def test_a_file(self, content, ending, major):
        read = self._read(content)
        self.assertEqual((read.ending, read.major), (ending, major))
        self.assertEqual(read.configuration, model_files.CLASSIFIER)
        self.assertContainsSubset(["Functional", "InputLayer", "Dense"], read.classes)

    def test_a_damaged_member(self):
        # The archive is not compressed.
        place = _ZIP.index(b"class_name")
        with self.assertRaisesRegex(cli.UserError, "config.json is damaged; it may be truncated"):
            self._read(_ZIP[:place] + b"klass_name" + _ZIP[place + 10 :])

    @parameterized.named_parameters(
        ("h5", _HDF5[:900], "the Keras model cannot be read: .*; it may be truncated or damaged, "),
        ("zip", _ZIP[:300], "the Keras model cannot be read: .*; it may be truncated or damaged, "),
        ("no JSON", model_files.hdf5("{"), "the Keras model cannot be read: .*get the file again"),
        ("weights alone", model_files.hdf5(None), "without its architecture; save the whole"),
        ("another archive", model_files.archive({"a": ""}), "without config.json, so it is no Ker"),
        ("another file", b"TFL3", "is not a Keras model; give a file that model.save"),
    )
    def test_refused(self, content, message):
        with self.assertRaisesRegex(cli.UserError, "^net: .*" + message):
            self._read(content)


if __name__ == "__main__":
    absltest.main()
