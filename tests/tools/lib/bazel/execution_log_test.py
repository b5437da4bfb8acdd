import json
import os

from absl.testing import absltest

from tools.lib.bazel import execution_log
from tools.lib.cli import cli

_CONVERT = {
    "mnemonic": "Genrule",
    "commandArgs": ["toco", "--output_file=m.tflite"],
    "environmentVariables": [{"name": "PATH", "value": "/bin"}],
    "inputs": [
        {"path": "graph.pb", "digest": {"hash": "11"}},
        {"path": "site/a.py", "digest": {"hash": "22"}},
    ],
    "listedOutputs": ["m.tflite"],
    "actualOutputs": [{"path": "m.tflite", "digest": {"hash": "33"}}],
}
_CANONICAL = {
    "mnemonic": "CanonicalTflite",
    "inputs": [{"path": "m.tflite", "digest": {"hash": "33"}}],
    "listedOutputs": ["c.tflite"],
    "actualOutputs": [{"path": "c.tflite", "digest": {"hash": "44"}}],
}


class ExecutionLogTest(absltest.TestCase):
    def _log(self, *actions: dict, text: str | None = None) -> str:
        content = "".join(json.dumps(action, indent=2) for action in actions)
        return self.create_tempfile(content=text or content).full_path

    def _read(self, *actions: dict, text: str | None = None) -> list[execution_log.Action]:
        return list(execution_log.read(self._log(*actions, text=text)).values())

    def test_actions_are_in_the_logs_order(self):
        convert, canonical = self._read(_CONVERT, _CANONICAL)
        self.assertEqual(convert.name, "Genrule m.tflite")
        self.assertEqual(convert.inputs, {"graph.pb": "11", "site/a.py": "22"})
        self.assertEqual(convert.environment, {"PATH": "/bin"})
        self.assertEqual(canonical.digests, {"c.tflite": "44"})
        self.assertFalse(convert.cache_hit)

    def test_a_cache_hit_is_told(self):
        (action,) = self._read(_CANONICAL | {"cacheHit": True})
        self.assertTrue(action.cache_hit)

    def test_an_empty_log_is_refused_unless_nothing_need_have_run(self):
        log = self.create_tempfile().full_path
        with self.assertRaisesRegex(cli.UserError, "execution log is empty"):
            execution_log.read(log)
        self.assertEmpty(execution_log.read(log, may_be_empty=True))

    def test_a_missing_digest_is_refused(self):
        for files in ("inputs", "actualOutputs"):
            for file in ({"path": "a/b"}, {"path": "a/b", "digest": {"hash": ""}}):
                with self.subTest(files=files, file=file):
                    log = self._log(_CONVERT | {files: [file]})
                    with self.assertRaisesRegex(cli.UserError, f"{log}: has no digest of a/b,"):
                        execution_log.read(log)

    def test_a_symlink_counts_by_where_it_leads(self):
        link = {"path": "link", "symlinkTargetPath": "there"}
        (action,) = self._read(_CONVERT | {"inputs": [link]})
        self.assertEqual(action.inputs, {"link": "symlink to there"})

    def test_a_log_that_is_cut_off_is_refused(self):
        with self.assertRaisesRegex(cli.UserError, "not a whole execution log"):
            execution_log.read(self._log(text=json.dumps(_CONVERT, indent=2)[:-5]))

    def test_what_is_no_log_is_refused(self):
        for text in (
            "[]",
            '{"one": "endless line"}',
            '{\n "other": 1\n}\n',
            "\x08\x01binary",
            "{ \n",
        ):
            with self.subTest(text):
                with self.assertRaisesRegex(cli.UserError, "no execution log|not a whole"):
                    self._read(text=text)

    def test_entries_come_one_by_one_and_tell_how_far_they_are(self):
        log = self._log(_CONVERT, _CANONICAL)
        read = []
        entries = execution_log.entries(log, read.append)
        self.assertEqual(next(entries)["mnemonic"], "Genrule")
        self.assertLen(read, 1)
        self.assertEqual(next(entries)["mnemonic"], "CanonicalTflite")
        self.assertEqual(sum(read), os.path.getsize(log))


if __name__ == "__main__":
    absltest.main()
