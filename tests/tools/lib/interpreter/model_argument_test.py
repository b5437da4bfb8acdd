import contextlib
import dataclasses
import io
import json
import os
import pathlib
from unittest import mock

from absl.testing import absltest, flagsaver, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.interpreter import model_argument
from tests.tools.lib.bazel import fake_bazel
from tests.tools.lib.identity import statements
from tests.tools.lib.interpreter import networks

# What conversion.bzl writes for people; no tool reads it.
_DESCRIPTION = (
    "seeded weights (synthetic, seed 1): not trained; converted by TOCO of TensorFlow 2.15.1;"
    " preprocessing zero_to_one"
)


class ModelArgumentTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.bazel = fake_bazel.FakeBazel(self.folder)
        self.enter_context(flagsaver.flagsaver(bazel=[self.bazel.program]))
        environment = dict.fromkeys(
            ("BUILD_WORKSPACE_DIRECTORY", "BUILD_WORKING_DIRECTORY"), str(self.folder)
        )
        self.enter_context(mock.patch.dict(os.environ, environment))

    def _write(self, name: str, content: bytes) -> pathlib.Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def test_a_path_is_relative_to_the_callers_folder(self):
        self._write("net.tflite", networks.doubled_sum())
        model = model_argument.resolve("net.tflite")
        self.assertEqual((model.given, model.name, model.label), ("net.tflite", "net", None))
        self.assertEqual(model.path, str(self.folder / "net.tflite"))
        self.assertEqual(model.content, networks.doubled_sum())

    def _assert_identity(self, model: model_argument.GivenModel, *expected: str) -> None:
        self.assertEqual((model.weights, model.preprocessing), expected)

    def test_a_bare_file_is_foreign_whatever_its_description_says(self):
        self._write("net.tflite", networks.doubled_sum(_DESCRIPTION))
        model = model_argument.resolve("net.tflite")
        self.assertIsNone(model.identity)
        self._assert_identity(model, "", "")

    def test_a_file_has_the_identity_of_the_statement_next_to_it(self):
        path = self._write("net.tflite", networks.doubled_sum())
        statements.write(path, "released", "imagenet_mean")
        self._assert_identity(model_argument.resolve("net.tflite"), "released", "imagenet_mean")
        # The same file under another name has none.
        self._write("copy.tflite", path.read_bytes())
        self._assert_identity(model_argument.resolve("copy.tflite"), "", "")

    def test_a_file_with_the_statement_of_another_is_foreign(self):
        statements.write(self._write("net.tflite", networks.doubled_sum()))
        self._write("net.tflite", networks.doubled_sum(length=5))
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            self._assert_identity(model_argument.resolve("net.tflite"), "", "")
        self.assertRegex(stderr.getvalue(), "^NOTE: .*net.provenance.json does not describe .*\n$")

    def test_a_statement_that_is_no_json_is_refused(self):
        self._write("net.tflite", networks.doubled_sum())
        self._write("net.provenance.json", b"{")
        with self.assertRaisesRegex(cli.UserError, "net.provenance.json: not a provenance statem"):
            model_argument.resolve("net.tflite")

    def _builds(self, **groups: pathlib.Path) -> None:
        self.bazel.builds({"//models/a:net": {name: [p.as_uri()] for name, p in groups.items()}})

    def test_a_label_is_built(self):
        path = self._write("net.tflite", networks.doubled_sum())
        log = self._write("net.log", b"")
        self.bazel.builds({"//models/a:net": {"default": [path.as_uri(), log.as_uri()]}})
        with flagsaver.flagsaver(bazel_flag=["--config=released"]):
            model = model_argument.resolve("//models:net")
        self.assertEqual((model.given, model.name), ("//models:net", "net"))
        self.assertEqual((model.label, model.path), ("//models/a:net", str(path)))
        # The target is not a `tflite_model`.
        self._assert_identity(model, "", "")
        [call] = self.bazel.calls()
        self.assertIn(" build --config=released ", call)
        self.assertIn(" --output_groups=+identity ", call)

    def test_a_label_has_the_identity_that_its_target_writes(self):
        path = self._write("net.tflite", networks.doubled_sum(_DESCRIPTION))
        # Left there by an earlier build.
        self._write("net.provenance.json", b"{")
        written = Identity("net", "released", "identity", "2.15.1", "hermetic")
        content = json.dumps(dataclasses.asdict(written)).encode()
        identity, report = self._write("net.identity.json", content), self._write("report", b"r")
        self._builds(default=path, identity=identity, report=report)
        model = model_argument.resolve("//models:net", ["report", "other"])
        self.assertEqual(model.identity, written)
        self._assert_identity(model, "released", "identity")
        self.assertEqual(model.groups, {"report": [str(report)]})

    def test_a_damaged_identity_is_refused(self):
        path = self._write("net.tflite", networks.doubled_sum())
        self._builds(default=path, identity=self._write("net.identity.json", b'{"name": "net"}'))
        with self.assertRaisesRegex(cli.UserError, "net.identity.json: not a model's identity: "):
            model_argument.resolve("//models:net")

    def test_other_files_are_refused(self):
        self._write("empty.tflite", b"")
        self._write("cut.tflite", networks.doubled_sum()[:-100])
        self._write("text.tflite", b"<html>not found</html>")
        with open(self._write("large.tflite", networks.doubled_sum()), "r+b") as stream:
            stream.truncate(2 << 30)
        (self.folder / "folder").mkdir()
        for given, message in {
            "": "the model is empty; give //models:NAME",
            "missing.tflite": "missing.tflite: the model cannot be read: No such file",
            "my:x": "my:x: there is no such file; a label starts with //, such as //models:NAME",
            "folder": "folder: the model cannot be read: Is a directory",
            "empty.tflite": "empty.tflite: the model is empty",
            "cut.tflite": "^cut.tflite: ",
            "text.tflite": "^text.tflite: ",
            "large.tflite": "large.tflite: has 2,147,483,648 bytes, but a .tflite has less",
            "//broken": "^//broken: cannot be built",
        }.items():
            with self.subTest(given), self.assertRaisesRegex(cli.UserError, message):
                model_argument.resolve(given)

    def test_a_model_with_nothing_to_run(self):
        given = model_argument.of_file(str(self._write("sum.tflite", networks.doubled_sum())))
        self.assertIs(model_argument.runnable(given), given)
        empty = dataclasses.replace(given.model, subgraphs=())
        with self.assertRaisesRegex(cli.UserError, "sum.tflite: the model lacks operators"):
            model_argument.runnable(dataclasses.replace(given, model=empty))

    def test_a_label_of_another_target_is_refused(self):
        self.bazel.builds({"//tools/lib/cli": {"default": [self._write("cli.py", b"").as_uri()]}})
        with self.assertRaisesRegex(cli.UserError, "^//tools/lib/cli: builds 0 .tflite files"):
            model_argument.resolve("//tools/lib/cli")


if __name__ == "__main__":
    absltest.main()
