from absl.testing import absltest

from reproducible_tflite.lib.bazel.outcome import outcome


class OutcomeTest(absltest.TestCase):
    def test_processes_are_counted_by_kind(self):
        ended = outcome(0, "INFO: 8 processes: 3 remote cache hit, 1 internal, 4 linux-sandbox.\n")
        self.assertEqual((ended.hits, ended.run), (3, 4))
        self.assertEmpty(ended.notices)

        words = "INFO: 40 processes: 3 internal, 12 linux-sandbox, 25 remote cache hit.\n"
        ended = outcome(0, words)
        self.assertEqual((ended.run, ended.hits), (12, 25))
        ended = outcome(0, "INFO: 1 process: 1 internal.\n")
        self.assertEqual((ended.run, ended.hits), (0, 0))

    def test_nothing_was_built(self):
        ended = outcome(1, "ERROR: no such target\nFAILED: all of it\n")
        self.assertEqual((ended.hits, ended.run, ended.code), (0, 0, 1))
        self.assertEqual(ended.notices, ["ERROR: no such target"])

    def test_a_warning_has_its_reason(self):
        ended = outcome(
            0,
            "WARNING: Remote Cache: 2 errors:\nConnection refused\nINFO: 1 process: 1 internal.",
        )
        self.assertEqual(ended.notices, ["WARNING: Remote Cache: 2 errors: Connection refused"])
        self.assertEqual(ended.counts, {"internal": 1})


if __name__ == "__main__":
    absltest.main()
