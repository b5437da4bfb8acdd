import contextlib
import io
import os
import pathlib
from unittest import mock

import onnx
from absl.testing import absltest, flagsaver, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.new import new
from tests.tools.lib.tflite_file import models
from tests.tools.new import model_files
from tests.tools.steps.export import program
from tests.tools.steps.freeze import sample_onnx

_KERAS = model_files.hdf5(model_files.CLASSIFIER)
_ENTRY = """\
load("//tools/tflite:defs.bzl", "keras_model", "tflite_model")

keras_model(
    name = "my_net.graph",
    src = "my net.h5",
)

# Input: image float32 [?,8,8,3].
# Output: out float32.
tflite_model(
    name = "my_net",
    converter = "mlir",
    graph = ":my_net.graph",
    minimum_operators = 1,
)
"""


class NewTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.workspace = pathlib.Path(self.create_tempdir().full_path)
        self.folder = self.workspace / "nets"
        self.folder.mkdir()
        (self.folder / "my net.h5").write_bytes(_KERAS)
        self._call_from(self.folder)

    def _call_from(self, folder: pathlib.Path) -> None:
        """Makes a folder the one where `bazel run` is called."""
        names = {
            "BUILD_WORKING_DIRECTORY": str(folder),
            "BUILD_WORKSPACE_DIRECTORY": str(self.workspace),
        }
        self.enter_context(mock.patch.dict(os.environ, names))

    def _run(self, *arguments: str, **flags: object) -> str:
        """Returns what the program says."""
        stdout = io.StringIO()
        with flagsaver.flagsaver(**flags), contextlib.redirect_stdout(stdout):
            new.main(["new", *arguments])
        return stdout.getvalue()

    def _refused(self, message: str, *arguments: str, **flags: object) -> None:
        """Expects one sentence, and that nothing is written."""
        before = sorted(self.workspace.rglob("*"))
        with self.assertRaisesRegex(cli.UserError, rf"^.*{message}[^\n]*\.$"):
            self._run(*arguments, **flags)
        self.assertEqual(sorted(self.workspace.rglob("*")), before)

    def test_the_program(self):
        build = self.folder / "BUILD"
        result = program.run("tools/new/new.py", "my net.h5")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(build.read_text(), _ENTRY)
        self.assertEqual(
            result.stdout, f"{build} now has:\n\n{_ENTRY}\nNext: bazel build //nets:my_net\n"
        )
        result = program.run("tools/new/new.py", "my net.h5")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, r"^ERROR: .*/BUILD: has a target my_net.graph [^\n]*\.\n$")
        self.assertEqual(build.read_text(), _ENTRY)

    def test_added_to_a_build_file(self):
        build = self.folder / "BUILD.bazel"
        build.write_text(
            'load("//tools/tflite:defs.bzl", "checkpoint")\n\ncheckpoint(name = "c")\n'
        )
        (self.workspace / "bazelw").touch()
        self._call_from(self.workspace)
        output = self._run("nets/my net.h5", name="x", quantize="float16")
        self.assertIn("Next: ./bazelw build //nets:x\n", output)
        self.assertStartsWith(
            build.read_text(),
            'load("//tools/tflite:defs.bzl", "checkpoint", "keras_model", "tflite_model")\n\n'
            'checkpoint(name = "c")\n\nkeras_model(\n    name = "x.graph",\n',
        )
        self._call_from(self.folder)
        self.assertIn("Next: ../bazelw build //nets:y\n", self._run("my net.h5", name="y"))

    def test_a_build_file_that_cannot_be_added_to(self):
        build = self.folder / "BUILD"
        build.write_text("x(\n")
        self._refused("BUILD: cannot be read as a BUILD file in line 1", "my net.h5")
        self.assertEqual(build.read_text(), "x(\n")
        build.write_bytes(b"\xff")
        self._refused("BUILD: cannot be read", "my net.h5")
        build.unlink()
        # A folder of the kernel, which not even root can write to.
        build.symlink_to("/proc/self/BUILD")
        self._refused("BUILD: cannot be written", "my net.h5")

    def test_print(self):
        rules = "@reproducible_tflite//tools/tflite:defs.bzl"
        output = self._run("my net.h5", print=True, repository="@reproducible_tflite")
        self.assertEqual(output, _ENTRY.replace("//tools/tflite:defs.bzl", rules))
        self.assertFalse((self.folder / "BUILD").exists())

    def test_a_saved_model(self):
        model_files.saved_model(self.workspace / "saved", {"serving_default": [None, 4]})
        self._call_from(self.workspace)
        self.assertIn("Next: bazel build //:saved\n", self._run("saved"))
        self.assertIn('srcs = glob(["saved/**"]),\n', (self.workspace / "BUILD").read_text())

    def test_a_saved_model_that_is_a_package(self):
        folder = model_files.saved_model(self.folder / "saved", {"serving_default": [None, 4]})
        (folder / "BUILD").touch()
        self.assertIn("Next: bazel build //nets/saved:saved\n", self._run("saved"))
        self.assertIn('srcs = glob(["**"]),\n', (folder / "BUILD").read_text())

    def test_a_saved_model_that_is_a_package_below_a_link(self):
        folder = model_files.saved_model(self.folder / "saved", {"serving_default": [None, 4]})
        (folder / "BUILD").touch()
        linked = pathlib.Path(self.create_tempdir().full_path, "linked")
        linked.symlink_to(self.workspace)
        self._call_from(linked / "nets")
        self.assertIn("Next: bazel build //nets/saved:saved\n", self._run("saved"))

    def test_other_kinds(self):
        graph = model_files.graph_def(["Relu", "out", "image"]).SerializeToString()
        (self.folder / "graph").write_bytes(graph)
        onnx.save(sample_onnx.classifier(), str(self.folder / "net.onnx"))
        (self.folder / "net.tflite").write_bytes(models.pack(models.detector()))
        for name, words in (
            ("graph", ['frozen_graph_file(\n    name = "graph.graph",\n    src = "graph",\n']),
            (
                "net.onnx",
                [
                    'onnx_model(\n    name = "net.graph",\n    src = "net.onnx",\n',
                    "# Input in the ONNX model: image:0 float32 [1,3,8,6].\n",
                ],
            ),
            ("net.tflite", ["# Input: boxes float32 [1,6,4].\n", 'name = "net_canonical",\n']),
        ):
            output = self._run(name)
            for word in words:
                self.assertIn(word, output)

    def test_int8_says_where_samples_go(self):
        output = self._run("my net.h5", quantize="int8", preprocessing="zero_to_one")
        self.assertRegex(output, r"\nFirst: .* into my_net_samples.*\nNext: ")
        self.assertIn("    height = 8,\n", output)

    def test_bad_files(self):
        (self.folder / "page.h5").write_bytes(model_files.HTML)
        (self.folder / "cut.h5").write_bytes(_KERAS[:1000])
        (self.folder / "empty.keras").touch()
        (self.folder / "net.onnx").write_bytes(model_files.ONNX)
        (self.folder / "cut.tflite").write_bytes(models.pack(models.detector())[:100])
        self._refused("page.h5: is a web page", "page.h5")
        self._refused("cut.h5: the Keras model cannot be read: .*truncated", "cut.h5")
        self._refused("empty.keras: the model is empty", "empty.keras")
        self._refused("net.onnx: is not an ONNX model with nodes", "net.onnx")
        self._refused("cut.tflite: ", "cut.tflite")
        self._refused("is a folder without saved_model.pb", ".")

    def test_bad_arguments(self):
        self._refused("one model is needed")
        self._refused("one model is needed", "")
        self._refused("--signature is for a SavedModel", "my net.h5", signature="x")
        self._refused("'1,0' is not a shape", "my net.h5", input_shapes="1,0")
        self._refused("a/b: cannot be a target's name", "my net.h5", name="a/b")
        (self.folder / "net.tflite").write_bytes(models.pack(models.detector()))
        self._refused("--input_shapes cannot change it", "net.tflite", input_shapes="1,6,4")
        (self.folder / "nét.h5").write_bytes(_KERAS)
        self._refused("cannot be a file in a BUILD file", "nét.h5")

    def test_outside_of_the_workspace(self):
        other = pathlib.Path(self.create_tempdir().full_path, "net.h5")
        other.write_bytes(_KERAS)
        (self.folder / "linked").symlink_to(other.parent)
        for path in (str(other), "linked/net.h5"):
            self._refused("is outside of the workspace", path)
            self.assertIn("keras_model(", self._run(path, print=True))


if __name__ == "__main__":
    absltest.main()
