"""Tests of what the audit checks before its first round, and of what it does with its result."""

import io
import os
import pathlib
from unittest import mock

from absl.testing import absltest, flagsaver
from rich.console import Console

from reproducible_tflite.audit import audit, emulator, origin, record, report
from reproducible_tflite.lib.cli import cli
from tests.tools.lib.bazel import fake_bazel

_NOTHING = report.Report((), (), (), origin.Origin(*["unknown"] * 7, ()))


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
                with self.assertRaisesRegex(cli.UserError, "missing/report: cannot be"):
                    audit.main(["audit", "//a"])
        with flagsaver.flagsaver(html="."):
            with self.assertRaisesRegex(cli.UserError, " is a folder; name a file"):
                audit.main(["audit", "//a"])
        self.assertEmpty(self.bazel.calls())

    def test_a_file_that_fails_stops_neither_the_other_nor_the_terminal(self):
        gone = str(self.folder / "gone" / "report")
        for failing, other in (("json", "html"), ("html", "json")):
            path, console = self.folder / other, Console(file=io.StringIO(), width=200)
            with self.assertRaisesRegex(cli.UserError, gone):
                audit.publish(_NOTHING, {failing: gone, other: str(path)}, console)
            self.assertNotEmpty(path.read_text())
            self.assertIn("Targets", console.file.getvalue())


class EmulationTest(_AuditTest):
    def setUp(self):
        super().setUp()
        # The labels that every query returns.
        self.bazel.builds({"//models:b": {}})

    def _refused(self, **given):
        """Returns the error of an audit that ends before it builds anything."""
        with flagsaver.flagsaver(**given), self.assertRaises(cli.UserError) as caught:
            audit.main(["audit", "//models:a"])
        self.assertEmpty([call for call in self.bazel.calls() if ": build" in call])
        return str(caught.exception)

    def test_a_target_that_is_not_audited_is_refused_before_anything_is_built(self):
        with mock.patch.object(audit, "expand", side_effect=[["//models:a"], ["//models:b"]]):
            (self.folder / "calls").touch()
            self.assertIn(
                "//models:b is not one of the targets", self._refused(emulate="//models:b")
            )

    def test_a_target_that_bazel_does_not_know_is_refused_before_anything_is_built(self):
        self.assertIn("bazel query failed", self._refused(emulate="//models:broken"))

    def test_an_unknown_processor_is_refused_before_anything_is_built(self):
        refusal = cli.UserError("no such processor")
        with mock.patch.object(emulator, "check", side_effect=refusal) as check:
            for choice in ("smallest", "all", "//models:b"):
                self.assertEqual(
                    self._refused(emulate=choice, repository_cache="/c", cpu_model="X"),
                    "no such processor",
                )
                check.assert_called_with("X", "/c", [])

    def test_choices(self):
        targets = ["//models:a", "//models:b"]
        self.assertIsNone(audit.emulated_targets("smallest", targets))
        self.assertEqual(audit.emulated_targets("all", targets), targets)
        self.assertEqual(audit.emulated_targets("none", targets), [])
        self.assertEqual(audit.emulated_targets("models:b,", targets), ["//models:b"])
        with self.assertRaisesRegex(cli.UserError, "no target"):
            audit.emulated_targets("", targets)


class _Round:
    """A round that only writes each target's record."""

    name = "third"

    def __init__(self, folder, clock):
        self.folder, self.clock = folder, clock

    def record_path(self, target):
        return self.folder / target

    def done(self, targets):
        return [target for target in targets if self.record_path(target).exists()]

    def build(self, targets, cache, progress):
        for target in [target for target in targets if target not in self.done(targets)]:
            progress(target, False)
            for _ in range(125):
                self.clock.return_value += 1
                progress(target, False, "1 of 2 actions are done; Converting [x]; 60s sandbox")
            done_record = record.Record(target, 61.0, (), {}, {})
            record.write(done_record, self.record_path(target), self.folder)
            progress(target, True)
        return self.done(targets)


class ProgressTest(_AuditTest):
    def setUp(self):
        super().setUp()
        self.clock = mock.Mock(return_value=0.0)

    def _shown(self, **console):
        file = io.StringIO()
        expected = {"b": 61, "c": 610}
        with mock.patch.object(audit, "time", monotonic=self.clock):
            audit.build(
                _Round(self.folder, self.clock),
                ["a", "b", "c"],
                "",
                cli.console(file=file, **console),
                expected,
            )
        return file.getvalue()

    def test_without_a_terminal_what_begins_is_said_and_what_ends(self):
        (self.folder / "a").touch()
        self.assertEqual(
            [line.rstrip() for line in self._shown(width=120).strip().splitlines()],
            [
                "third: 1 of 3 targets are done already",
                "third: b: begins, 2 of 3; about 61 s, judging by the plain round",
                "third: b: since 60 s: 1 of 2 actions are done; Converting [x]; 60s sandbox",
                "third: b: since 2 min: 1 of 2 actions are done; Converting [x]; 60s sandbox",
                "third: b: 61 s",
                "third: c: begins, 3 of 3; about 10 min, judging by the plain round",
                "third: c: since 60 s: 1 of 2 actions are done; Converting [x]; 60s sandbox",
                "third: c: since 2 min: 1 of 2 actions are done; Converting [x]; 60s sandbox",
                "third: c: 61 s",
            ],
        )

    def test_on_a_terminal_the_moving_line_says_what_is_done(self):
        self.assertNotIn("since", self._shown(width=120, force_terminal=True))


if __name__ == "__main__":
    absltest.main()
