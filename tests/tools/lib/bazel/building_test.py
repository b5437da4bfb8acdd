import os
import pathlib
from unittest import mock

from absl.testing import absltest, flagsaver

from reproducible_tflite.lib.bazel import building
from reproducible_tflite.lib.cli import cli
from tests.tools.lib.bazel import fake_bazel


class BuildingTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.bazel = fake_bazel.FakeBazel(pathlib.Path(self.folder))
        self.enter_context(flagsaver.flagsaver(bazel=[self.bazel.program]))
        self.enter_context(mock.patch.dict(os.environ, {"BUILD_WORKSPACE_DIRECTORY": self.folder}))

    def _made(self, name: str) -> str:
        path = pathlib.Path(self.folder, name)
        path.touch()
        return path.as_uri()

    def test_files_by_label_and_group(self):
        self.bazel.builds(
            {
                "//models:a": {"default": [self._made("a.tflite")]},
                "//models:b": {
                    "default": [self._made("b b.tflite")],
                    "raw": [self._made("b.raw.tflite"), self._made("b.log")],
                },
            }
        )
        labels = ["//models:a", "//models:b"]
        first, second = building.build_all(labels, ["--x"], ["raw"], self.folder, ["--batch"])
        self.assertEqual((first.label, second.label), ("//models:a", "//models:b"))
        self.assertEqual(first.files, {"default": [f"{self.folder}/a.tflite"]})
        self.assertEqual(second.files["default"], [f"{self.folder}/b b.tflite"])
        raw = [f"{self.folder}/b.raw.tflite", f"{self.folder}/b.log"]
        self.assertCountEqual(second.files["raw"], raw)
        [call] = self.bazel.calls()
        self.assertStartsWith(call, f"{self.folder}: --batch build --x ")
        self.assertIn("--output_groups=+raw", call)
        self.assertEndsWith(call, " -- //models:a //models:b")

    def test_one_target(self):
        self.bazel.builds({"//models:a": {"default": [self._made("a.tflite")]}})
        self.assertEqual(building.build("//models:a", []).label, "//models:a")
        self.bazel.builds({"//models:a": {}, "//models:b": {}})
        with self.assertRaisesRegex(cli.UserError, "//models/...: these are 2 targets"):
            building.build("//models/...", [])

    def test_an_output_that_stayed_in_a_cache_is_named(self):
        self.bazel.builds({"//models:a": {"default": [f"file://{self.folder}/a.tflite"]}})
        with self.assertRaisesRegex(
            cli.UserError, "^/.*/a.tflite: was built but not downloaded; put .* last into user"
        ):
            building.build("//models:a", [])

    def test_models_of_patterns(self):
        self.bazel.builds({"//models/a:a": {}, "//models/b:b": {}})
        self.assertEqual(building.models(["//models:all_models"]), ["//models/a:a", "//models/b:b"])
        self.bazel.builds({})
        with self.assertRaisesRegex(cli.UserError, "//tools/lib: no model is among these targets"):
            building.models(["//tools/lib"])

    def test_what_a_step_refused_is_named_with_the_reason(self):
        log = pathlib.Path(self.folder, "stderr")

        def refusals(said, code, label="//models:a.raw"):
            log.write_text(said)
            detail = {"spawn": {"spawnExitCode": code}} if code else {}
            action = {"success": not code, "exitCode": 1, "failureDetail": detail}
            action["stderr"] = {"uri": log.as_uri()}
            events = [{"id": {"actionCompleted": {"label": label}}, "action": action}]
            return building.refusals(events, ["//models:a", "//models:b"])

        said = "WARNING: slow\nERROR: It is too old.\nERROR: more\n"
        self.assertEqual(refusals(said, 1), {"//models:a": "It is too old."})
        self.assertEmpty(refusals(said, 1, "//models:ab"))
        # Ended by a signal, lacking memory, a bug, or no failure.
        for words, code in (("", 137), (said, cli.MACHINE_ERROR), ("Traceback\nx\n", 1), (said, 0)):
            self.assertEmpty(refusals(words, code))

    def test_an_attempt_returns_what_can_be_built(self):
        self.bazel.builds({"//models:a": {"default": [self._made("a.tflite")]}})
        built, whys = building.attempt_all(["//models:a"], [])
        self.assertEqual(([one.label for one in built], whys), (["//models:a"], {}))
        self.assertIn(" --keep_going ", self.bazel.calls()[0])
        with self.assertRaisesRegex(cli.UserError, "^//models:other: cannot be built, and no"):
            building.attempt_all(["//models:a", "//models:other"], [])

    def test_bazels_failure_is_named(self):
        with self.assertRaisesRegex(cli.UserError, "^bazel query failed for .*//broken"):
            building.models(["//broken"])
        with self.assertRaisesRegex(cli.UserError, "^//broken: cannot be built"):
            building.build("//broken", [])


if __name__ == "__main__":
    absltest.main()
