import os
import subprocess
import sys

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.tflite_file import canonical
from tests.tools.lib.tflite_file import models

_PROGRAM = "reproducible_tflite.steps.canonicalize.canonicalize_tflite"


def _run(*arguments, report_modules=False):
    command = [sys.executable, *(["-X", "importtime"] if report_modules else []), "-m", _PROGRAM]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, env=environment
    )


class CanonicalizeTfliteTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir()
        self.output = os.path.join(self.folder.full_path, "canonical.tflite")

    def _input(self, content):
        return self.folder.create_file("raw.tflite", content=content, mode="wb").full_path

    def test_writes_the_canonical_form_without_tensorflow(self):
        content = models.pack(models.detector())
        arguments = (f"--input={self._input(content)}", f"--output={self.output}")
        result = _run(*arguments, "--description=synthetic: not trained", report_modules=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.output, "rb") as stream:
            written = stream.read()
        expected = canonical.canonical_bytes(content, "x", "synthetic: not trained")
        self.assertEqual(written, expected)
        self.assertNotRegex(result.stderr, r"\| +tensorflow")

    @parameterized.parameters(
        (b"MLIR Converted.", "not converted here; in its own words: MLIR Converted."),
        (b"caf\xe9", "not converted here; in its own words: caf\N{REPLACEMENT CHARACTER}"),
        (None, "not converted here"),
    )
    def test_a_files_own_description_follows(self, own, expected):
        model = models.layered()
        model.description = own
        arguments = (f"--input={self._input(models.pack(model))}", f"--output={self.output}")
        result = _run(*arguments, "--description=not converted here", "--keep_description")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.output, "rb") as stream:
            self.assertEqual(models.unpack(stream.read()).description.decode(), expected)

    @parameterized.parameters(
        (models.pack(models.layered())[:500], "not a sound .tflite: .* truncated"),
        (b"", "the .tflite is empty"),
        (b"\x08\x01\x12\x04node" * 8, "not a .tflite but a SavedModel"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "is a web page"),
    )
    def test_refuses(self, content, message):
        raw = self._input(content)
        result = _run(f"--input={raw}", f"--output={self.output}")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, rf"^ERROR: {raw}: {message}.*\n$")
        self.assertEqual(os.listdir(self.folder.full_path), ["raw.tflite"])

    def test_missing_flag(self):
        result = _run(f"--output={self.output}")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("--input", result.stderr)


if __name__ == "__main__":
    absltest.main()
