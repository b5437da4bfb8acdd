import copy
import json

from absl.testing import absltest

from tools.audit import execution_log
from tools.cli import cli

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

    def _compare(self, change) -> list[str]:
        changed = copy.deepcopy(_CONVERT)
        change(changed)
        return execution_log.compare(
            self._log(_CONVERT, _CANONICAL), self._log(_CANONICAL, changed)
        )

    def test_equal_builds_do_not_differ_in_another_order(self):
        self.assertEmpty(self._compare(lambda action: None))

    def test_names_a_differing_input(self):
        lines = self._compare(lambda action: action["inputs"][1]["digest"].update(hash="99"))
        self.assertEqual(lines, ["Genrule m.tflite: other input site/a.py"])

    def test_names_a_missing_input(self):
        lines = self._compare(lambda action: action["inputs"].pop())
        self.assertEqual(lines, ["Genrule m.tflite: other input site/a.py"])

    def test_names_environment_arguments_and_outputs(self):
        def change(action):
            action["environmentVariables"].append({"name": "HOME", "value": "/h"})
            action["commandArgs"].append("--x")
            action["actualOutputs"][0]["digest"]["hash"] = "99"

        self.assertEqual(
            self._compare(change),
            [
                "Genrule m.tflite: other arguments",
                "Genrule m.tflite: other environment variable HOME",
                "Genrule m.tflite: other output m.tflite",
            ],
        )

    def test_names_an_action_of_one_build_only(self):
        lines = execution_log.compare(self._log(_CONVERT, _CANONICAL), self._log(_CONVERT))
        self.assertEqual(lines, ["CanonicalTflite c.tflite: ran in one build only"])

    def test_counts_and_cache_hits(self):
        log = self._log(_CONVERT, dict(_CANONICAL, remoteCacheHit=True))
        self.assertEqual(execution_log.count_inputs(log), 3)
        self.assertEqual(execution_log.outputs(log), {"m.tflite": "33", "c.tflite": "44"})
        self.assertEqual(execution_log.cache_hits(log), ["CanonicalTflite c.tflite"])

    def test_bazel_7_calls_a_cache_hit_otherwise(self):
        log = self._log(_CONVERT | {"cacheHit": False}, _CANONICAL | {"cacheHit": True})
        self.assertEqual(execution_log.cache_hits(log), ["CanonicalTflite c.tflite"])

    def test_a_missing_digest_is_refused(self):
        for files in ("inputs", "actualOutputs"):
            for file in ({"path": "a/b"}, {"path": "a/b", "digest": {"hash": ""}}):
                with self.subTest(files=files, file=file):
                    log = self._log(_CONVERT | {files: [file]})
                    with self.assertRaisesRegex(cli.UserError, f"{log}: has no digest of a/b,"):
                        execution_log.read(log)

    def test_names_a_symlink_that_leads_elsewhere(self):
        left, right = copy.deepcopy(_CONVERT), copy.deepcopy(_CONVERT)
        left["inputs"].append({"path": "link", "symlinkTargetPath": "here"})
        right["inputs"].append({"path": "link", "symlinkTargetPath": "elsewhere"})
        self.assertEqual(
            execution_log.compare(self._log(left), self._log(right)),
            ["Genrule m.tflite: other input link"],
        )

    def test_a_log_that_is_cut_off_is_refused(self):
        with self.assertRaisesRegex(cli.UserError, "not a whole execution log"):
            execution_log.read(self._log(text=json.dumps(_CONVERT)[:-5]))


if __name__ == "__main__":
    absltest.main()
