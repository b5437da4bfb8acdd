import pathlib

from absl.testing import absltest

from reproducible_tflite.audit import record, rounds
from reproducible_tflite.lib.bazel import execution_log
from reproducible_tflite.lib.cli import cli


def _write(path: pathlib.Path, content: str = "") -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


class SourceDigestTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        _write(self.folder / "a" / "BUILD", "x")

    def test_follows_content_and_names(self):
        first = rounds.source_digest(self.folder)
        self.assertEqual(rounds.source_digest(self.folder), first)
        (self.folder / "a" / "BUILD").write_text("y")
        second = rounds.source_digest(self.folder)
        (self.folder / "a" / "BUILD").rename(self.folder / "a" / "BUILD.bazel")
        self.assertLen({first, second, rounds.source_digest(self.folder)}, 3)

    def test_version_control_and_what_bazel_links_to_do_not_count(self):
        first = rounds.source_digest(self.folder)
        _write(self.folder / ".git" / "index", "z")
        elsewhere = pathlib.Path(self.create_tempdir().full_path)
        (self.folder / "bazel-bin").symlink_to(elsewhere)
        second = rounds.source_digest(self.folder)
        _write(elsewhere / "output")
        self.assertEqual(rounds.source_digest(self.folder), second)
        (self.folder / "bazel-bin").unlink()
        self.assertEqual(rounds.source_digest(self.folder), first)


class ResumeTest(absltest.TestCase):
    def test_outputs_that_no_record_names_are_removed(self):
        root = pathlib.Path(self.create_tempdir().full_path)
        kept = _write(root / "bazel-out" / "bin" / "a.tflite")
        half = _write(root / "bazel-out" / "bin" / "half.tflite")
        half.parent.chmod(0o555)
        removed = rounds.remove_unnamed(root / "bazel-out", {"bazel-out/bin/a.tflite"}, root)
        self.assertEqual(removed, 1)
        self.assertTrue(kept.exists())
        self.assertFalse(half.exists())


class RecordTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        inputs = {f"external/tensorflow/site/{number}.py": "d" for number in range(200)}
        action = execution_log.Action(
            mnemonic="Convert",
            outputs=("m.tflite",),
            arguments=("toco",),
            environment={"PATH": "/bin"},
            inputs={"graph.pb": "1"} | inputs,
            digests={"m.tflite": "2"},
            cache_hit=False,
        )
        leak = record.Leak("Convert m.tflite", "/etc/passwd", "3")
        key = (action.mnemonic, action.outputs)
        self.record = record.Record(
            "//a", 1.5, ("m.tflite",), {"m.tflite": 7}, {key: action}, (leak,), 1
        )

    def test_comes_back_with_big_folders_joined(self):
        path = self.folder / "record.json"
        record.write(self.record, path, self.folder)
        result = record.read(path)
        ((key, action),) = result.actions.items()
        self.assertEqual(key, ("Convert", ("m.tflite",)))
        self.assertCountEqual(action.inputs, ["graph.pb", "external/tensorflow/site"])
        self.assertEqual(result.leaks, self.record.leaks)
        listing = self.folder / action.inputs["external/tensorflow/site"]
        self.assertTrue(listing.exists())

    def test_a_joined_folder_follows_its_files(self):
        (action,) = self.record.actions.values()
        first, _ = execution_log.folders(action.inputs)
        second, _ = execution_log.folders(action.inputs | {"external/tensorflow/site/0.py": "x"})
        self.assertNotEqual(first, second)

    def test_a_damaged_one_is_refused(self):
        path = _write(self.folder / "record.json", "{}")
        with self.assertRaisesRegex(cli.UserError, "is not a record of a build"):
            record.read(path)

    def test_what_two_targets_share_counts_once(self):
        self.assertLen(record.merged([self.record, self.record]), 1)

    def test_sizes_are_those_of_the_files(self):
        _write(self.folder / "m.tflite", "12345")
        self.assertEqual(record.sizes(self.record.actions, self.folder), {"m.tflite": 5})

    def test_a_closure_reaches_into_other_targets_records(self):
        def action(mnemonic, inputs, output):
            digests = {output: "d"}
            return execution_log.Action(mnemonic, (output,), (), {}, inputs, digests, False)

        def record_of(target, size, file, *actions):
            keyed = {(action_.mnemonic, action_.outputs): action_ for action_ in actions}
            sizes = {path: size for action_ in actions for path in action_.digests}
            return record.Record(target, 1.0, (file,), sizes, keyed)

        result = record.closures(
            [
                record_of(
                    "//a", 10, "a", action("Export", {}, "g"), action("Convert", {"g": "d"}, "a")
                ),
                record_of("//b", 3, "b", action("Convert", {"g": "d"}, "b")),
                record_of("//graph", 0, "g"),
            ]
        )
        self.assertEqual(result["//b"].actions, {"Export g", "Convert b"})
        self.assertEqual((result["//b"].size, result["//b"].total), (3, 13))
        self.assertEqual((result["//a"].size, result["//a"].total), (10, 20))
        self.assertEqual(result["//a"].ends, {"a": "d"})
        self.assertEqual(result["//graph"].ends, {"g": "d"})
        self.assertEqual(result["//graph"].actions, {"Export g"})


if __name__ == "__main__":
    absltest.main()
