"""Tests of interrupted and resumed rounds, with a fake Bazel."""

import os
import pathlib
from unittest import mock

from absl.testing import absltest, flagsaver

from reproducible_tflite.audit import examination, rounds, surroundings
from reproducible_tflite.lib.cli import cli
from tests.tools.lib.bazel.compact_log import CompactLog

# Makes one output and a log for each target; fails for a target with the name "broken".
_BAZEL = """#!/bin/sh
for word in "$@"; do
    case $word in
        --output_base=*) base=${word#*=} ;;
        --build_event_json_file=*) echo '{"id": {"started": {}}}' >"${word#*=}" ;;
        --execution_log_compact_file=*) log=${word#*=} ;;
        build | shutdown) command=$word ;;
    esac
done
echo "$command $word" >>CALLS
[ "$command" = build ] || exit 0
[ "$word" != //broken ] || { echo "it is broken"; exit 1; }
out=$base/execroot/ws/bazel-out
/bin/mkdir -p "$out"
echo "made" >"$out/${word#//}"
/bin/cp "LOGS/${word#//}" "$log"
"""


class ResumeTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.calls = self.folder / "calls"
        self._write_bazel()
        self.enter_context(flagsaver.flagsaver(bazel=[str(self.folder / "bazel")]))
        workspace = {"BUILD_WORKSPACE_DIRECTORY": str(self.folder)}
        self.enter_context(mock.patch.dict(os.environ, workspace))

    def _write_bazel(self, cache_hit=False):
        path = self.folder / "bazel"
        logs = self.folder / "logs"
        path.write_text(_BAZEL.replace("CALLS", str(self.calls)).replace("LOGS", str(logs)))
        path.chmod(0o755)
        logs.mkdir(exist_ok=True)
        for name in ("a", "b"):
            log = CompactLog()
            log.spawn("Make", {f"bazel-out/{name}": "1"}, cache_hit=cache_hit)
            (logs / name).write_bytes(log.packed())

    def _round(self, key="k"):
        opened = rounds.Round(surroundings.PLAIN, self.folder / "plain", key, [])
        opened.open()
        return opened

    def _build(self, targets, key="k"):
        self.calls.unlink(missing_ok=True)
        records = self._round(key).build(targets, "cache", lambda target, done: None)
        calls = self.calls.read_text().split("\n") if self.calls.exists() else []
        built = [call.removeprefix("build ") for call in calls if call.startswith("build ")]
        return [record.target for record in records], built

    def test_what_is_done_is_not_done_again(self):
        self.assertEqual(self._build(["//a"]), (["//a"], ["//a"]))
        self.assertEqual(self._build(["//a", "//b"]), (["//a", "//b"], ["//b"]))
        self.assertEqual(self._build(["//a", "//b"]), (["//a", "//b"], []))

    def test_what_bazel_does_is_reported_while_it_builds(self):
        bazel = self.folder / "bazel"
        progress = """echo '[3 / 1,017] Converting //a; 240s linux-sandbox'; /bin/sleep 3\n"""
        bazel.write_text(bazel.read_text().replace("out=$base", progress + "out=$base"))
        said = []
        self._round().build(["//a"], "cache", lambda *words: said.append(words))
        self.assertEqual(said[0], ("//a", False))
        self.assertEqual(
            said[1],
            (
                "//a",
                False,
                "3 of 1,017 actions are done; Converting //a; 240s linux-sandbox",
            ),
        )
        self.assertEqual(said[-1], ("//a", True))

    def test_other_sources_begin_anew(self):
        self._build(["//a"])
        self.assertEqual(self._build(["//a"], key="other"), (["//a"], ["//a"]))

    def test_what_an_interrupted_build_left_is_removed_and_the_rest_stays(self):
        self._build(["//a"])
        outputs = self._round().execution_root / "bazel-out"
        (outputs / "half").write_text("written when it was interrupted")
        self._build(["//a", "//b"])
        self.assertCountEqual(os.listdir(outputs), ["a", "b"])

    def test_a_failed_target_ends_the_round_with_bazels_words_and_keeps_the_others(self):
        targets = ["//a", "//broken", "//b"]
        with self.assertRaisesRegex(rounds.BuildFailed, "//broken: it is broken") as caught:
            self._build(targets)
        ended = self._round()
        self.assertEqual([record.target for record in ended.done(targets)], ["//a"])
        compared = examination.examine(
            ended, ended, targets, str(caught.exception), "", self.folder, lambda line: None
        )
        (finding,) = compared["findings"]
        self.assertEqual((finding["kind"], finding["action"]), ("failure", "//broken"))
        self.assertEqual(finding["others"], ("//b",))

    def test_the_server_ends_with_the_round(self):
        self._build(["//a"])
        self.assertIn("shutdown", self.calls.read_text().splitlines()[-1])

    def test_a_result_out_of_a_cache_is_refused(self):
        self._write_bazel(cache_hit=True)
        with self.assertRaisesRegex(cli.UserError, "Make bazel-out/a came out of a cache"):
            self._build(["//a"])

    def test_what_was_found_is_kept_until_the_sources_change(self):
        self._round().compared = {"findings": []}
        self.assertEqual(self._round().compared, {"findings": []})
        self.assertIsNone(self._round("other").compared)


if __name__ == "__main__":
    absltest.main()
