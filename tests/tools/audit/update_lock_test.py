import contextlib
import dataclasses
import io
import json
import os
import pathlib
import shutil
import subprocess
from unittest import mock

import numpy as np
from absl.testing import absltest, flagsaver

from reproducible_tflite.audit import update_lock
from reproducible_tflite.lib.bazel import building, client, own_repository
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.lock import models_lock
from tests.tools.lib.bazel import fake_bazel
from tests.tools.lib.tflite_file import models

_IDENTITY = Identity("mobiledet", "seeded", "minus_one_to_one", "2.15.1", "hermetic")
_LABEL = "//models/mobiledet:mobiledet"
_KEY = models_lock.key(_LABEL, _IDENTITY)


def _other_weights(model):
    """Returns the model with its first weight increased by one step of float32."""
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) >= 4:
            values = np.array(buffer.data, dtype=np.uint8).view(np.float32)
            values[0] = np.nextafter(values[0], np.float32(np.inf))
            buffer.data = values.view(np.uint8)
            return model
    raise AssertionError("the model has no weights")


class UpdateLockTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.workspace = self.folder / "workspace"
        (self.workspace / "models").mkdir(parents=True)
        self.outputs = self.folder / "outputs"
        self.outputs.mkdir()
        self.lock = self.workspace / models_lock.PATH
        self.bazel = fake_bazel.FakeBazel(self.folder)
        self.enter_context(flagsaver.flagsaver(bazel=[self.bazel.program]))
        environment = {
            "BUILD_WORKSPACE_DIRECTORY": str(self.workspace),
            "BUILD_WORKING_DIRECTORY": str(self.folder),
        }
        self.enter_context(mock.patch.dict(os.environ, environment))
        self.earlier = models.pack(models.layered())
        self.later = models.pack(_other_weights(models.layered()))

    def builds(self, model):
        files = {"default": model, "raw": b"raw " + model}
        files["identity"] = json.dumps(dataclasses.asdict(_IDENTITY)).encode()
        for name, content in files.items():
            (self.outputs / name).write_bytes(content)
        groups = {name: [(self.outputs / name).as_uri()] for name in files}
        self.bazel.builds({_LABEL: groups})

    def locked(self, model):
        return {_KEY: models_lock.row(model, b"raw " + model, "2.15.1")}

    def changes(self):
        """Locks the earlier model, whose target makes the later one; returns the lock."""
        lock = models_lock.text(self.locked(self.earlier))
        self.lock.write_text(lock)
        self.builds(self.later)
        return lock

    def run_it(self, *targets, **flags):
        output = io.StringIO()
        with contextlib.redirect_stdout(output), flagsaver.flagsaver(**flags):
            update_lock.main(["update_lock", *targets])
        return output.getvalue()

    def read(self):
        return models_lock.parse(self.lock.read_bytes(), "lock")

    def test_a_new_model_is_added_and_others_stay(self):
        other = {
            models_lock.Key("//x:other", "released", "2.17.1"): models_lock.Row("a", 1, None, None)
        }
        self.lock.write_text(models_lock.text(other))
        self.builds(self.earlier)
        output = self.run_it("//models:mobiledet", bazel_flag=["--config=released"])
        self.assertEqual(self.read(), {**other, **self.locked(self.earlier)})
        self.assertIn(f"{_LABEL} (seeded weights, TensorFlow 2.15.1): new", output)
        self.assertIn("1 new, 0 changed, 0 gone, 1 made", output)
        self.assertRegex(self.bazel.calls()[1], f" build --config=released .* -- {_LABEL}$")

    def test_another_lock_is_made_where_it_is_named(self):
        self.builds(self.earlier)
        output = self.run_it("//models:mobiledet", lock="my.lock.json")
        written = (self.folder / "my.lock.json").read_bytes()
        self.assertEqual(models_lock.parse(written, "lock"), self.locked(self.earlier))
        self.assertIn("my.lock.json: 1 new, 0 changed, 0 gone, 1 made", output)
        self.assertFalse(self.lock.exists())

    def test_another_lock_has_no_model_of_its_own(self):
        for lock, words in (("my.lock.json", "no model is named"), ("", "the lock is not named")):
            with self.assertRaisesRegex(cli.UserError, words):
                self.run_it(lock=lock)

    def test_another_repository_names_its_lock(self):
        with mock.patch.object(own_repository, "CANONICAL_NAME", "reproducible_tflite"):
            with self.assertRaisesRegex(cli.UserError, "the lock is not named; give --lock=FILE"):
                self.run_it("//my:model")

    def test_models_of_another_repository_are_refused(self):
        label = "@reproducible_tflite//models/mobiledet:mobiledet"
        self.bazel.builds({label: {"default": []}})
        with self.assertRaisesRegex(cli.UserError, f"{label}: is a model of another repository"):
            self.run_it(label, lock="my.lock.json")
        self.assertFalse((self.folder / "my.lock.json").exists())

    def test_what_is_no_model_is_refused(self):
        self.lock.write_text(models_lock.text({}))
        self.builds(self.earlier)
        self.bazel.builds({_LABEL: {"default": [(self.outputs / "default").as_uri()]}})
        with self.assertRaisesRegex(cli.UserError, f"^{_LABEL}: not a model; give labels of"):
            self.run_it("//models:mobiledet")

    def test_what_changed_is_said_in_meaning(self):
        self.changes()
        previous = self.folder / "previous"
        previous.mkdir()
        (previous / "mobiledet.tflite").write_bytes(self.earlier)
        output = self.run_it(previous="previous")
        self.assertEqual(self.read(), self.locked(self.later))
        self.assertIn("0 new, 1 changed, 0 gone, 1 made", output)
        self.assertIn("same graph, other weights", output)
        self.assertRegex(output, r"1 ulp")
        self.assertIn(f"\nleft:  {previous}\nright: built\n", output)

    def test_an_earlier_file_with_another_digest_explains_nothing(self):
        self.changes()
        (self.folder / "mobiledet.tflite").write_bytes(self.later)
        self.assertIn("so it explains nothing", self.run_it(previous="."))
        self.assertEqual(self.read(), self.locked(self.later))

    def test_a_missing_earlier_file_is_said(self):
        self.changes()
        self.assertIn("its earlier file was not found", self.run_it(previous="outputs"))

    def test_the_earlier_file_is_built_at_a_revision(self):
        self.changes()
        calls = []

        def build_all(targets, options, groups=(), workspace=None, startup_options=()):
            calls.append((workspace, startup_options))
            path = self.folder / ("earlier" if startup_options else "later")
            path.write_bytes(getattr(self, path.name))
            files = {group: [str(self.outputs / group)] for group in ("raw", "identity")}
            files["default"] = [str(path)]
            return [building.Built(target, files) for target in targets]

        def git(*arguments):
            calls.append(arguments)
            if arguments[0] == "rev-parse":
                return "sub/folder/"
            if arguments[1] == "add":
                os.makedirs(f"{arguments[3]}/sub/folder")
            elif arguments[1] == "remove":
                shutil.rmtree(arguments[3])
            return ""

        with mock.patch.object(building, "build_all", build_all):
            with mock.patch.object(update_lock, "_git", git):
                output = self.run_it(against="v1")
        self.assertRegex(
            output, r"\nleft:  v1\nright: built\nsame graph, other weights(.|\n)*1 ulp"
        )
        checked, add, remove = calls[0], calls[2], calls[-1]
        self.assertEqual(checked, ("cat-file", "-e", "--", "v1^{commit}"))
        self.assertEqual((*add[:3], add[4]), ("worktree", "add", "--detach", "v1"))
        # The workspace is a folder of the repository.
        self.assertEqual(calls[4][0], f"{add[3]}/sub/folder")
        self.assertEqual(remove, ("worktree", "remove", "--force", add[3]))
        self.assertFalse(os.path.exists(os.path.dirname(add[3])))

    def test_a_missing_folder_is_refused_before_anything_is_built(self):
        before = self.changes()
        for folder in ("missing", ""):
            with self.assertRaisesRegex(
                cli.UserError, f"^--previous={folder}: is not a folder; give"
            ):
                self.run_it(previous=folder)
        self.assertEqual(self.bazel.calls(), [])
        self.assertEqual(self.lock.read_text(), before)

    def test_an_unknown_revision_changes_nothing(self):
        if not shutil.which("git", path=os.defpath):
            self.skipTest("needs git")
        self.enter_context(mock.patch.dict(os.environ, {"PATH": os.defpath}))
        subprocess.run(["git", "init", "-q"], cwd=self.workspace, check=True)
        before = self.changes()
        for revision in ("no-such-revision", "--no-such-option"):
            with self.assertRaisesRegex(cli.UserError, f"git .*: .* {revision}.*--against"):
                self.run_it(against=revision)
        self.assertEqual(self.bazel.calls(), [])
        self.assertEqual(self.lock.read_text(), before)

    def test_without_git_there_are_other_ways(self):
        self.changes()
        with mock.patch.dict(os.environ, {"PATH": "/dev/null"}):
            with self.assertRaisesRegex(cli.UserError, "git worktree failed: .*--previous"):
                self.run_it()

    def test_a_failed_build_changes_nothing(self):
        before = models_lock.text(self.locked(self.earlier))
        self.lock.write_text(before)
        with self.assertRaisesRegex(cli.UserError, "bazel query failed for .*//broken"):
            self.run_it("//broken")
        self.assertEqual(self.lock.read_text(), before)

    def test_a_model_that_is_no_more_goes_when_all_are_made(self):
        gone = dataclasses.replace(_KEY, target="//x:gone")
        released = dataclasses.replace(_KEY, weights="released")
        row = models_lock.Row("a", 1, None, None)
        lock = {**self.locked(self.earlier), gone: row, released: row}
        self.lock.write_text(models_lock.text(lock))
        self.builds(self.earlier)
        self.assertIn("0 gone", self.run_it("//models:mobiledet"))
        self.assertEqual(self.read(), lock)
        self.assertIn("//x:gone (seeded weights, TensorFlow 2.15.1): gone", self.run_it())
        self.assertEqual(self.read(), {**self.locked(self.earlier), released: row})

    def test_a_revision_that_does_not_build_is_named(self):
        self.changes()
        git = []
        build_all = building.build_all

        def fail_earlier(*arguments, workspace=None, **options):
            if workspace:
                raise cli.UserError("//x: cannot be built.")
            return build_all(*arguments, **options)

        def note(*arguments):
            git.append(arguments[1])
            if arguments[1] == "add":
                os.mkdir(arguments[3])
            return ""

        with mock.patch.object(building, "build_all", fail_earlier):
            with mock.patch.object(update_lock, "_git", note):
                with self.assertRaisesRegex(cli.UserError, "^at HEAD: //x: .*--against, an empty"):
                    self.run_it()
        self.assertEqual(git, ["add", "--show-prefix", "remove"])
        self.assertRegex(self.bazel.calls()[-1], " --output_base=.* shutdown$")

    def test_the_checkout_is_removed_whatever_fails(self):
        def copy(*_):
            raise OSError("the disk is full")

        def call(*_, **__):
            raise cli.UserError("Bazel cannot be started")

        self.changes()
        (self.workspace / "user.bazelrc").touch()
        with (
            mock.patch.object(shutil, "copy", copy),
            mock.patch.object(client, "call", call),
            mock.patch.object(update_lock, "_git", return_value="") as git,
            self.assertRaisesRegex(cli.UserError, "Bazel cannot be started") as raised,
        ):
            list(update_lock.earlier_from_revision("HEAD", {}))
        self.assertIsInstance(raised.exception.__context__, OSError)
        self.assertEqual(
            [call.args[1] for call in git.call_args_list], ["add", "--show-prefix", "remove"]
        )

    def test_nothing_changed(self):
        self.lock.write_text(models_lock.text(self.locked(self.earlier)))
        self.builds(self.earlier)
        self.assertIn("0 new, 0 changed, 0 gone, 1 made", self.run_it())
        self.assertEqual(self.read(), self.locked(self.earlier))


if __name__ == "__main__":
    absltest.main()
