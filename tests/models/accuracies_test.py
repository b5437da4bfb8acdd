"""Checks the table of published accuracies, as accuracy tests read it."""

import json
import pathlib
import sys

from absl.testing import absltest

from reproducible_tflite.evaluate import accuracy

_TABLE = sys.argv[1]


class AccuraciesTest(absltest.TestCase):
    def test_every_row_is_complete_and_has_a_source(self):
        table = json.loads(pathlib.Path(_TABLE).read_text(encoding="utf-8"))
        self.assertNotEmpty(table)
        for name in table:
            with self.subTest(name):
                row = accuracy.row(table, name, _TABLE)
                self.assertStartsWith(row["source"], "https://")
                self.assertBetween(row["tolerance"], 0, 0.1 * row["value"])


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
