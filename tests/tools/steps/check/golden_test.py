import dataclasses
import json
import pathlib
from unittest import mock

from absl.testing import absltest, flagsaver

from reproducible_tflite.lib.bazel import own_repository
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.lock import models_lock
from reproducible_tflite.steps.check import golden
from tests.tools.lib.tflite_file import models

_IDENTITY = Identity("mobiledet", "seeded", "minus_one_to_one", "2.15.1", "hermetic")
_TARGET = "//models/mobiledet:mobiledet"
_KEY = models_lock.key(_TARGET, _IDENTITY)


class GoldenTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.model = models.pack(models.layered())
        self.write("model", self.model)
        self.write("raw", b"raw")
        self.write("identity", json.dumps(dataclasses.asdict(_IDENTITY)).encode())
        self.lock({_KEY: models_lock.row(self.model, b"raw", "2.15.1")})
        paths = {name: str(self.folder / name) for name in ("model", "raw", "identity", "lock")}
        self.enter_context(flagsaver.flagsaver(target=_TARGET, **paths))

    def write(self, name, content):
        (self.folder / name).write_bytes(content)

    def lock(self, lock):
        self.write("lock", models_lock.text(lock).encode())

    def test_the_locked_file_passes(self):
        golden.main([])

    def test_another_model_fails(self):
        other = models.layered()
        other.description = "another"
        self.write("model", models.pack(other))
        with self.assertRaisesRegex(
            cli.UserError,
            r"sha256: [0-9a-f]{64} in the lock, .*\. If that is intended, .*: "
            f"bazel run //tools/audit:update_lock -- {_TARGET} --lock={self.folder}/lock$",
        ):
            golden.main([])

    def test_another_raw_file_fails(self):
        self.write("raw", b"another")
        with self.assertRaisesRegex(cli.UserError, r"\(raw sha256: "):
            golden.main([])

    def test_a_model_without_a_row_fails(self):
        for field in ("target", "weights", "tensorflow"):
            other = dataclasses.replace(_KEY, **{field: "another"})
            self.lock({other: models_lock.row(self.model, b"raw", "2.15.1")})
            with self.assertRaisesRegex(cli.UserError, "/lock. Add it with: "):
                golden.main([])

    def test_a_lock_that_is_not_there_yet_is_made(self):
        (self.folder / "lock").unlink()
        with self.assertRaisesRegex(
            cli.UserError, f"is not in {self.folder}/lock. Add it with: bazel run .*update_lock"
        ):
            golden.main([])

    def test_released_weights_are_locked_with_their_build_setting(self):
        released = dataclasses.replace(_IDENTITY, weights="released")
        self.write("identity", json.dumps(dataclasses.asdict(released)).encode())
        command = f"update_lock -- {_TARGET} --lock=.*/lock"
        with self.assertRaisesRegex(cli.UserError, f"{command}$"):
            golden.main([])
        setting = "--bazel_flag=--//models:weights=released"
        with flagsaver.flagsaver(chooses_released=True):
            with self.assertRaisesRegex(cli.UserError, f"{command} {setting}$"):
                golden.main([])

    def test_another_repository_calls_the_program_by_its_canonical_name(self):
        self.lock({})
        name = mock.patch.object(own_repository, "CANONICAL_NAME", "reproducible_tflite~")
        command = "bazel run @@reproducible_tflite~//tools/audit:update_lock -- //models"
        with name, self.assertRaisesRegex(cli.UserError, command):
            golden.main([])

    def test_a_model_of_another_repository_is_locked_there(self):
        self.lock({})
        lock = "in the repository r~, with: bazel run {}//tools/audit:update_lock -- //x:y --lock="
        for project, program in (("r~", ""), ("reproducible_tflite~", "@reproducible_tflite")):
            with (
                self.subTest(project),
                mock.patch.object(own_repository, "CANONICAL_NAME", project),
                flagsaver.flagsaver(target="@r~//x:y"),
                self.assertRaisesRegex(cli.UserError, lock.format(program)),
            ):
                golden.main([])

    def test_the_lock_of_another_repository_is_named_as_there(self):
        with flagsaver.flagsaver(target="@r~//x:y"):
            self.assertEndsWith(golden.advice(_KEY, "../r~/x/lock.json"), " --lock=x/lock.json")

    def test_an_identity_that_is_damaged_fails(self):
        self.write("identity", b'{"name": "mobiledet"}')
        with self.assertRaisesRegex(cli.UserError, "identity: not a model's identity: "):
            golden.main([])


if __name__ == "__main__":
    absltest.main()
