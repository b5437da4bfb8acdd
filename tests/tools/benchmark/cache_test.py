import pathlib

from absl.testing import absltest

from reproducible_tflite.benchmark import cache
from reproducible_tflite.lib.bazel import execution_log
from reproducible_tflite.lib.cli import cli


def _action(mnemonic: str, output: str, hit: bool = False, reads: int = 0) -> execution_log.Action:
    inputs = {str(number): "digest" for number in range(reads)}
    return execution_log.Action(mnemonic, (output,), (), {}, inputs, {}, hit)


class CacheBenchmarkTest(absltest.TestCase):
    def test_an_edit_is_made_where_the_text_is_once(self):
        workspace = pathlib.Path(self.create_tempdir().full_path)
        (workspace / "a").write_text("x = 1\ny = 1\n")
        cache.edit(workspace, "a", "x = 1", "x = 2")
        self.assertEqual((workspace / "a").read_text(), "x = 2\ny = 1\n")
        cache.edit(workspace, "a", "x = 2", "x = 1")
        for text in ("= 1", "z"):
            with self.assertRaisesRegex(cli.UserError, "^a: does not contain .* exactly once"):
                cache.edit(workspace, "a", text, "")

    def test_finds_actions_that_should_not_have_run(self):
        own = _action("MlirConvert", "bazel-out/k8/bin/models/own/x.raw.tflite")
        other = _action("CanonicalTflite", "bazel-out/k8/bin/models/owned/x.tflite")
        hit = _action("Genrule", "bazel-out/k8/bin/models/other/y.raw.tflite", hit=True)
        self.assertEqual(cache.outside([own, other, hit], "own"), [other.name])
        self.assertEqual(cache.conversions([own, other, hit]), [own.name])

    def test_an_edit_that_led_to_nothing(self):
        seeded = _action("SeedCheckpoint", "bazel-out/k8/bin/models/own/x.ckpt")
        hit = _action("SeedCheckpoint", "bazel-out/k8/bin/models/other/x.ckpt", hit=True)
        self.assertFalse(cache.idle([seeded, hit], "SeedCheckpoint", "models/own"))
        self.assertFalse(cache.idle([seeded, hit], "SeedCheckpoint", "models"))
        self.assertTrue(cache.idle([seeded, hit], "SeedCheckpoint", "models/other"))
        self.assertTrue(cache.idle([seeded, hit], "CanonicalTflite", "models"))

    def test_the_fewest_and_the_most_files_that_actions_read(self):
        actions = [_action("B", "x", reads=3), _action("A", "y"), _action("B", "z", reads=2)]
        self.assertEqual(cache.input_files(actions), {"A": (0, 0), "B": (2, 3)})


if __name__ == "__main__":
    absltest.main()
