"""What the audit checks before its first round, and what becomes of its result."""

import io
import os
import pathlib
from unittest import mock

from absl.testing import absltest, flagsaver
from rich.console import Console

from tests.tools.audit import fake_bazel
from tools.audit import audit, report
from tools.cli import cli

_NOTHING = report.Report((), (), ())


class _AuditTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.bazel = fake_bazel.FakeBazel(self.folder)
        self.enter_context(flagsaver.flagsaver(bazel=[self.bazel.program]))
        folders = dict.fromkeys(
            ("BUILD_WORKSPACE_DIRECTORY", "BUILD_WORKING_DIRECTORY"), str(self.folder)
        )
        self.enter_context(mock.patch.dict(os.environ, folders))


class OutputsTest(_AuditTest):
    def test_what_cannot_be_written_is_said_before_bazel_is_called(self):
        for flag in ("json", "html"):
            with flagsaver.flagsaver(**{flag: "missing/report"}):
                with self.assertRaisesRegex(cli.UserError, f"--{flag}=.*missing/report: cannot be"):
                    audit.main(["audit", "//a"])
        with flagsaver.flagsaver(html="."):
            with self.assertRaisesRegex(cli.UserError, "--html=.* is a folder"):
                audit.main(["audit", "//a"])
        with self.assertRaises(FileNotFoundError):
            self.bazel.calls()

    def test_the_check_leaves_nothing_behind_and_keeps_what_is_there(self):
        path = self.folder / "r.html"
        path.write_text("an earlier report")
        before = os.listdir(self.folder)
        audit.check_outputs({"html": str(path)})
        self.assertEqual(os.listdir(self.folder), before)
        self.assertEqual(path.read_text(), "an earlier report")

    def test_a_file_that_fails_stops_neither_the_other_nor_the_terminal(self):
        gone = str(self.folder / "gone" / "report")
        for failing, other in (("json", "html"), ("html", "json")):
            path, console = self.folder / other, Console(file=io.StringIO(), width=200)
            with self.assertRaisesRegex(cli.UserError, gone):
                audit.publish(_NOTHING, {failing: gone, other: str(path)}, console)
            self.assertNotEmpty(path.read_text())
            self.assertIn("Targets", console.file.getvalue())


if __name__ == "__main__":
    absltest.main()
