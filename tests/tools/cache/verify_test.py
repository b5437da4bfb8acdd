import dataclasses
import json
import os
import pathlib
import random
import stat
import subprocess
from collections.abc import Sequence
from unittest import mock

from absl.testing import absltest

from reproducible_tflite.cache import rebuilding, spawns, verify
from reproducible_tflite.lib.bazel import client, execution_log

_BIN = "bazel-out/k8-fastbuild/bin"


def _spawn(name: str, digest: str = "1", hit: bool = True, folder: str = _BIN) -> spawns.Spawn:
    path = f"{folder}/{name}"
    action = execution_log.Action("Make", (path,), (), {}, {}, {path: digest}, hit)
    return spawns.Spawn(action, f"//:{name}", "Make", True, {}, 0, False, {}, None)


class _Fake:
    """A fake whose rebuilds write given contents."""

    def __init__(self, root: pathlib.Path, *contents: bytes | None) -> None:
        self._root, self._contents = root, list(contents)
        self.served = []

    def rebuild(self, spawn: spawns.Spawn) -> spawns.Spawn:
        content = self._contents.pop(0)
        if content is None:
            raise rebuilding.RebuildFailed("Bazel says: no")
        (path,) = spawn.action.outputs
        # Bazel would not make an output again that was not moved away.
        assert not (self._root / path).exists()
        (self._root / path).write_bytes(content)
        return _spawn(pathlib.Path(path).name, content.hex(), hit=False)

    def serve(self, chosen: Sequence[spawns.Spawn]) -> None:
        self.served.append(chosen)


class VerdictTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        (self.folder / _BIN).mkdir(parents=True)

    def _verdict(self, *rebuilt: bytes | None, served: bytes | None = b"true") -> verify.Verdict:
        (self.folder / _BIN / "x").write_bytes(served or b"")
        self.fake = _Fake(self.folder, *rebuilt)
        watch = verify._Verifier(self.fake, self.folder, self.folder / "kept")
        spawn = _spawn("x", (served or b"").hex())
        return watch.verdict(spawn, spawn if served else None)

    def test_equal_bytes_agree(self):
        self.assertEqual(self._verdict(b"true").kind, verify.AGREES)
        self.assertEmpty(self.fake.served)

    def test_other_bytes_are_wrong_if_a_second_rebuild_confirms_them(self):
        verdict = self._verdict(b"true", b"true", served=b"trXe")
        self.assertEqual(verdict.kind, verify.WRONG)
        (file,) = verdict.files
        self.assertEqual((file.path, file.sizes), (f"{_BIN}/x", (4, 4)))
        self.assertEqual((file.runs[0].offset, file.runs[0].left), (2, "58"))
        # Other actions of the sample must read what the cache served, not the rebuild.
        self.assertLen(self.fake.served, 1)

    def test_rebuilds_that_differ_accuse_no_cache(self):
        self.assertEqual(self._verdict(b"one", b"two").kind, verify.VARIES)

    def test_a_second_rebuild_that_fails_leaves_what_the_first_one_showed(self):
        verdict = self._verdict(b"true", None, served=b"trXe")
        self.assertEqual((verdict.kind, verdict.bazel_output), (verify.DIFFERS, "Bazel says: no"))
        self.assertLen(verdict.files, 1)
        self.assertLen(self.fake.served, 1)

    def test_what_is_not_served_or_not_made_is_not_judged(self):
        self.assertEqual(self._verdict(served=None).kind, verify.GONE)
        verdict = self._verdict(None)
        self.assertEqual((verdict.kind, verdict.bazel_output), (verify.NOT_MADE, "Bazel says: no"))


class ConclusionTest(absltest.TestCase):
    def test_the_exit_code_says_whether_all_agree(self):
        cases = {
            (verify.AGREES, verify.AGREES): 0,
            (verify.AGREES, verify.GONE): 0,
            (verify.AGREES, verify.WRONG): 1,
            (verify.AGREES, verify.VARIES): 1,
            (verify.AGREES, verify.DIFFERS): 1,
            (verify.NOT_MADE, verify.WRONG): 1,
            (verify.AGREES, verify.NOT_MADE): 2,
            (verify.GONE,): 2,
        }
        for kinds, code in cases.items():
            verdicts = [verify.Verdict("x", kind) for kind in kinds]
            self.assertEqual(verify.exit_code(verdicts), code, kinds)

    def test_one_line_names_who_is_wrong(self):
        verdicts = [verify.Verdict("A of //:a", verify.WRONG), verify.Verdict("B", verify.AGREES)]
        self.assertEqual(
            verify.conclusion(verdicts, 9, 7, "remote cache"),
            "1 of 2 drawn from 9 in the remote cache (--seed=7) cannot be trusted: A of //:a.",
        )
        verdicts = [verify.Verdict("A", verify.GONE), verify.Verdict("B", verify.AGREES)]
        self.assertEndsWith(
            verify.conclusion(verdicts, 9, 7, "remote cache"), "agree; 1 could not be judged."
        )


class DrawTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        actions = [_spawn(f"{n}") for n in range(20)]
        actions += [_spawn("missed", hit=False), _spawn("tool", folder="bazel-out/exec/bin")]
        random.shuffle(actions)
        self.cached = {spawn.key: spawn for spawn in actions}

    def _draw(self, count: int, seed: int) -> list[str]:
        return [spawn.label for spawn in verify.draw(self.cached, _BIN, count, seed)]

    def test_a_seed_draws_the_same_whatever_the_order(self):
        first = self._draw(5, 3)
        self.cached = dict(sorted(self.cached.items(), reverse=True))
        self.assertEqual(self._draw(5, 3), first)
        self.assertNotEqual(self._draw(5, 4), first)

    def test_only_what_the_cache_has_of_the_targets_own(self):
        self.assertCountEqual(self._draw(100, 0), [f"//:{n}" for n in range(20)])


class RebuildingTest(absltest.TestCase):
    def test_an_action_that_failed_or_did_not_run_was_not_made(self):
        ran = _spawn("made", hit=False)
        failed = dataclasses.replace(_spawn("failed", hit=False), failed=True)
        served = _spawn("served")
        log = spawns.Log({each.key: each for each in (ran, failed, served)}, {})
        self.assertEqual(rebuilding.executed(log, ran.key), ran)
        for each in (failed, served, _spawn("absent")):
            self.assertIsNone(rebuilding.executed(log, each.key))

    def test_the_events_with_the_password_do_not_stay(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        event = {
            "optionsParsed": {"cmdLine": ["--remote_cache=http://x", "--remote_header=secret"]}
        }
        modes = []

        def call(arguments: Sequence[str], **unused: object) -> subprocess.CompletedProcess:
            for argument in arguments:
                name, _, path = argument.partition("=")
                if name == "--build_event_json_file":
                    modes.append(stat.S_IMODE(os.stat(path).st_mode))
                    pathlib.Path(path).write_text(json.dumps(event))
            return subprocess.CompletedProcess(arguments, 0, "")

        with mock.patch.object(client, "call", call):
            self.assertEqual(rebuilding.Rebuilding(folder, []).choose_cache(), "remote cache")
        self.assertEqual(modes, [0o600])
        for path in folder.rglob("*"):
            self.assertNotIn("secret", path.read_text(), path)

    def test_the_last_of_several_options_counts(self):
        def event(*words: str) -> dict:
            return {"optionsParsed": {"cmdLine": list(words)}}

        self.assertEqual(
            rebuilding.cache_options([{}, event("--disk_cache=/a", "--keep_going")]),
            {"--disk_cache": "/a"},
        )
        self.assertEmpty(
            rebuilding.cache_options([event("--remote_cache=grpc://x", "--remote_cache=")])
        )

    def test_trouble_is_told_from_what_is_not_in_the_cache(self):
        missed = f"ERROR: BUILD:2:8: failed: Mount source '{rebuilding._NOT_THERE}' does not exist."
        warning = "WARNING: Remote Cache: Connection refused: localhost"
        several = "WARNING: Remote Cache: 2 errors during bulk transfer:\n  404 Not Found"
        unknown = "ERROR: no such package 'nowhere'"
        cases = {
            missed: "",
            f"{missed}\n{unknown}\n{warning}": unknown,
            f"{missed}\n{warning}\nmore": warning,
            f"{several}\nmore": several.replace("\n ", ""),
            "": "",
        }
        for output, expected in cases.items():
            self.assertEqual(rebuilding.first_problem(output), expected)

    def test_files_and_closed_folders_are_taken_away(self):
        root = pathlib.Path(self.create_tempdir().full_path)
        (root / "out/folder").mkdir(parents=True)
        (root / "out/folder/file").write_text("1")
        (root / "out/file").write_text("2")
        (root / "out/folder").chmod(0o500)
        rebuilding.move_outputs(["out/folder", "out/file", "out/missing"], root, root / "kept")
        self.assertEqual((root / "kept/out/folder/file").read_text(), "1")
        self.assertEqual((root / "kept/out/file").read_text(), "2")
        self.assertEmpty(list((root / "out").iterdir()))


if __name__ == "__main__":
    absltest.main()
