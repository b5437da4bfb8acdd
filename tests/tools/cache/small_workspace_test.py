"""Tests of how a Bazel's words are read, on which the trial of failures relies."""

import signal
import subprocess

from absl.testing import absltest

from tests.tools.cache import small_workspace


class OutcomeTest(absltest.TestCase):
    def test_processes_are_counted_by_kind(self):
        outcome = small_workspace.outcome(
            0, "INFO: 8 processes: 3 remote cache hit, 1 internal, 4 linux-sandbox.\n"
        )
        self.assertEqual((outcome.hits, outcome.run), (3, 4))
        self.assertEmpty(outcome.notices)

        words = "INFO: 40 processes: 3 internal, 12 linux-sandbox, 25 remote cache hit.\n"
        outcome = small_workspace.outcome(0, words)
        self.assertEqual((outcome.run, outcome.hits), (12, 25))
        outcome = small_workspace.outcome(0, "INFO: 1 process: 1 internal.\n")
        self.assertEqual((outcome.run, outcome.hits), (0, 0))

    def test_nothing_was_built(self):
        outcome = small_workspace.outcome(1, "ERROR: no such target\nFAILED: all of it\n")
        self.assertEqual((outcome.hits, outcome.run, outcome.code), (0, 0, 1))
        self.assertEqual(outcome.notices, ["ERROR: no such target"])

    def test_a_warning_has_its_reason(self):
        outcome = small_workspace.outcome(
            0,
            "WARNING: Remote Cache: 2 errors:\nConnection refused\nINFO: 1 process: 1 internal.",
        )
        self.assertEqual(outcome.notices, ["WARNING: Remote Cache: 2 errors: Connection refused"])
        self.assertEqual(outcome.counts, {"internal": 1})

    def test_a_bazel_that_takes_too_long_is_ended(self):
        process = subprocess.Popen(["/bin/sleep", "100"], stdout=subprocess.PIPE, text=True)
        with self.assertRaises(subprocess.TimeoutExpired):
            small_workspace.finish(process, seconds=0.1)
        self.assertEqual(process.returncode, -signal.SIGTERM)

    def test_the_whole_is_its_parts(self):
        expected = small_workspace.expected("seed")
        self.assertLen(expected, small_workspace.ACTIONS)
        self.assertNotEqual(expected, small_workspace.expected("other"))


if __name__ == "__main__":
    absltest.main()
