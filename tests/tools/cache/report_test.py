import json
import os
import pathlib
import subprocess

from absl import flags
from absl.testing import absltest, flagsaver

from reproducible_tflite.cache import rendering, report, spawns, summary
from reproducible_tflite.lib.cli import cli

_REPORT = flags.DEFINE_string("report", None, "The program.")
_TESTDATA = pathlib.Path("tests/tools/cache/testdata")
_FILL, _EDITED = _TESTDATA / "fill.zst", _TESTDATA / "edited.zst"


class ProgramTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [_REPORT.value, *arguments],
            check=False,
            capture_output=True,
            env=os.environ | variables,
            text=True,
        )

    def _refused(self, **given: object) -> str:
        """Returns the program's error message."""
        values = {name: str(value) for name, value in given.items()}
        with flagsaver.flagsaver(**values), self.assertRaises(cli.UserError) as raised:
            report.main(["report"])
        self.assertNotIn("\n", str(raised.exception))
        return str(raised.exception)

    def test_tables_line_up(self):
        result = self._run(f"--execution_log={_EDITED}", f"--against={_FILL}")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        (row,) = [line for line in lines if line.lstrip().startswith("net:int8")]
        header = next(line for line in lines if line.lstrip().startswith("model"))
        for title, value in (("canonical", "0/1"), ("misses", "2")):
            end = header.index(title) + len(title)
            self.assertEqual(row[:end].split()[-1], value)
        self.assertRegex(result.stdout, r"convert of //models/net:int8\.raw +argument --type: INT8")
        self.assertIn("4 of 14 actions came from the cache (29 %)", result.stdout)
        self.assertIn("OTHER BYTES: Make of //models/net:varying", result.stdout)

    def test_json_is_the_whole_document(self):
        output = self.folder / "report.json"
        result = self._run(f"--execution_log={_EDITED}", "--format=json", f"--output={output}")
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        expected = summary.make(spawns.read(str(_EDITED)), None)
        self.assertEqual(json.loads(output.read_text(encoding="utf-8")), expected)

    def test_markdown_goes_behind_what_ci_has_already(self):
        page = self.folder / "page.md"
        page.write_text("before\n", encoding="utf-8")
        arguments = (f"--execution_log={_EDITED}", f"--against={_FILL}", "--format=markdown")
        # As under `bazel run`; otherwise the launcher hides the user's variables.
        started = {"BUILD_WORKSPACE_DIRECTORY": os.getcwd()}
        result = self._run(*arguments, GITHUB_STEP_SUMMARY=str(page), **started)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.assertStartsWith(page.read_text(encoding="utf-8"), "before\n## Remote cache\n")
        result = self._run(*arguments, GITHUB_STEP_SUMMARY=str(self.folder), **started)
        self.assertEqual(result.returncode, 1)
        self.assertIn("which GITHUB_STEP_SUMMARY names: cannot be written", result.stderr)

    def test_a_log_that_is_none(self):
        path = self.folder / "text"
        path.write_text("a text")
        for given in ({"execution_log": path}, {"execution_log": _FILL, "against": path}):
            with self.subTest(given=given):
                self.assertRegex(self._refused(**given), f"^{path}: is not a compact execution")

    def test_a_mistake_ends_in_one_sentence(self):
        result = self._run(f"--execution_log={self.folder / 'missing'}")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, r"^ERROR: .*/missing: .* No such file or directory\.\n$")

    def test_what_is_missing(self):
        self.assertIn("--execution_log is missing", self._refused())
        missing = self.folder / "missing"
        complaint = self._refused(execution_log=_FILL, output=missing / "report")
        self.assertIn("cannot be written", complaint)


class RenderingTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        fill, edited = (spawns.read(str(path)) for path in (_FILL, _EDITED))
        self.document = summary.make(edited, fill)

    def test_seconds_that_are_unknown_are_not_zero(self):
        self.assertEqual(rendering.seconds(None, 2), "?")
        self.assertEqual(rendering.seconds(None, 0), "0.0")
        self.assertEqual(rendering.seconds(1.25, 1), "1.2 +?")
        self.assertEqual(rendering.seconds(1.25, 0), "1.2")

    def test_the_miss_that_most_follow_from_comes_first(self):
        _, rows = rendering.misses_table(self.document)
        self.assertEqual(rows[0][0], "Make of //models/net:input")
        self.assertEqual([row[2] for row in rows][:3], ["2", "1", "0"])
        self.assertFalse([row for row in rows if row[1].startswith("follows")])

    def test_followers_of_a_hit_are_put_down_to_it(self):
        # As if this hit had other bytes than in the build that filled the cache.
        for row in self.document["actions"]:
            if row["label"].endswith(":int8"):
                row["reason"]["cause"] = "convert of //models/net:float.raw"
        _, rows = rendering.misses_table(self.document)
        row = next(row for row in rows if row[0] == "convert of //models/net:float.raw")
        self.assertIn("a hit, made from other inputs", row[1])

    def test_markdown_has_the_tables_and_survives_odd_names(self):
        row = next(row for row in self.document["actions"] if row["label"].endswith(":new"))
        row["name"] = "Make of\n<b>|x"
        text = rendering.to_markdown(self.document)
        self.assertIn("| Make of &lt;b>\\|x | new action", text)
        self.assertIn("| step | hits | misses |", text)
        self.assertIn("### Why actions were missed", text)
        tables = [line for line in text.splitlines() if line.startswith("|")]
        self.assertTrue(all(line.endswith("|") for line in tables))

    def test_without_another_log_no_reason_is_given(self):
        document = summary.make(spawns.read(str(_EDITED)), None)
        text = rendering.to_markdown(document)
        self.assertNotIn("### Why", text)
        self.assertIn("give the log of the build that filled the cache", text)


if __name__ == "__main__":
    absltest.main()
