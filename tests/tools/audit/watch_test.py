from absl.testing import absltest

from reproducible_tflite.audit import watch

_OUTPUT = """\
Loading:
Analyzing: target //a (3 packages loaded)
[1 / 17] checking cached actions
WARNING: it is slow
[3 / 17] Converting //a [x]; 240s linux-sandbox ... (2 actions running)
INFO: From Converting //a:
"""


class WatchTest(absltest.TestCase):
    def test_the_last_line_counts(self):
        self.assertEqual(
            watch.working(_OUTPUT.encode()),
            "3 of 17 actions are done; Converting //a [x]; 240s linux-sandbox ..."
            " (2 actions running)",
        )
        self.assertIsNone(watch.working(b"Loading:\n[half"))
        self.assertIsNone(watch.working(b""))

    def test_what_fails_is_told_without_progress(self):
        self.assertEqual(
            watch.without_progress(_OUTPUT)[-2:],
            ["WARNING: it is slow", "INFO: From Converting //a:"],
        )


if __name__ == "__main__":
    absltest.main()
