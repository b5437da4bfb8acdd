import contextlib
import io
import json
import os
import pathlib
from unittest import mock

from absl.testing import absltest, flagsaver

from reproducible_tflite.audit import update_versions
from reproducible_tflite.lib.bazel import building
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.lock import versions_lock
from tests.tools.lib.bazel import fake_bazel
from tests.tools.lib.tflite_file import models

_LABEL = "//models/a:a"


class UpdateVersionsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.lock = self.folder / versions_lock.PATH
        self.lock.parent.mkdir()
        self.lock.write_text(versions_lock.text({}))
        self.bazel = fake_bazel.FakeBazel(self.folder)
        flags = {"mlir": ["2.15.1", "2.21.0"], "toco": ["2.15.1", "1.15.5"]}
        self.enter_context(flagsaver.flagsaver(bazel=[self.bazel.program], **flags))
        environment = {"BUILD_WORKSPACE_DIRECTORY": str(self.folder)}
        self.enter_context(mock.patch.dict(os.environ, environment))
        (self.folder / "a.tflite").write_bytes(models.pack(models.layered()))
        self.bazel.builds({_LABEL: {"default": [(self.folder / "a.tflite").as_uri()]}})

    def run_it(self, *models):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            update_versions.main(["update_versions", *models])
        return output.getvalue(), versions_lock.parse(self.lock.read_bytes(), "lock")

    def test_every_version_with_the_converter_is_compared(self):
        # The fake answers every query with the label, so the model is one of MLIR's.
        output, lock = self.run_it()
        row = lock[_LABEL]
        self.assertEqual(row["converter"], "mlir")
        self.assertEqual(list(row["versions"]), ["2.21.0"])
        self.assertEqual(row["versions"]["2.21.0"]["verdict"], "same bytes")
        self.assertEqual(row["versions"]["2.21.0"]["sha256"], row["sha256"])
        self.assertIn(f"{_LABEL} by 2.21.0: same bytes", output)
        builds = [call for call in self.bazel.calls() if " build " in call]
        self.assertLen(builds, 2)
        for call, version in zip(builds, ["2.15.1", "2.21.0"], strict=True):
            self.assertIn(f"--//tools/tensorflow:version={version}", call)

    def test_rows_of_other_models_and_versions_stay(self):
        _, first = self.run_it()
        other = {"//models/b:b": {"converter": "toco", "sha256": "0", "versions": {}}}
        first[_LABEL]["versions"]["2.17.1"] = {"refused": "no"}
        self.lock.write_text(versions_lock.text({**first, **other}))
        self.assertEqual(self.run_it(_LABEL)[1], {**first, **other})
        # Of the whole catalogue, what is gone does not stay.
        self.assertEqual(self.run_it()[1], first)

    def test_an_interrupted_call_keeps_the_tensorflows_that_are_done(self):
        attempt, self.calls = building.attempt_all, 0

        def interrupted(*arguments):
            self.calls += 1
            if self.calls == 3:
                raise KeyboardInterrupt
            return attempt(*arguments)

        with (
            flagsaver.flagsaver(
                mlir=["2.15.1", "2.17.1", "2.21.0"], tensorflow=["2.21.0", "2.17.1"]
            ),
            mock.patch.object(building, "attempt_all", interrupted),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.run_it()
        row = versions_lock.parse(self.lock.read_bytes(), "lock")[_LABEL]
        self.assertEqual(list(row["versions"]), ["2.21.0"])

    def test_a_version_that_is_not_pinned(self):
        for version in ("2.16.1", "2.15.1"):
            with flagsaver.flagsaver(tensorflow=[version]):
                with self.assertRaisesRegex(
                    cli.UserError, f"^--tensorflow={version}: .*1.15.5, 2.21.0"
                ):
                    self.run_it()

    def test_a_damaged_lock_stays(self):
        self.lock.write_text(json.dumps({"models": {"a": {}}}))
        with self.assertRaisesRegex(cli.UserError, "not what TensorFlows make of models"):
            self.run_it()
        self.assertEqual(self.lock.read_text(), json.dumps({"models": {"a": {}}}))
        self.assertEqual(self.bazel.calls(), [])


if __name__ == "__main__":
    absltest.main()
