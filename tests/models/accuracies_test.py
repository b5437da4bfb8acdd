"""Holds the tables of published accuracies against the list of models that have a test of them."""

import json
import pathlib
import re
import sys

from absl.testing import absltest

from tools.evaluate import accuracy

_BUILD, *_TABLES = map(pathlib.Path, sys.argv[1:])


class AccuraciesTest(absltest.TestCase):
    def test_every_row_is_whole_and_has_a_source(self):
        for path in _TABLES:
            table = json.loads(path.read_text(encoding="utf-8"))
            self.assertNotEmpty(table)
            for name in table:
                with self.subTest(name):
                    row = accuracy.row(table, name, str(path))
                    self.assertStartsWith(row["source"], "https://")
                    self.assertBetween(row["tolerance"], 0, 0.1 * row["value"])

    def test_the_list_of_models_with_a_test(self):
        text = _BUILD.read_text(encoding="utf-8")
        listed = re.search(r"MODELS_OF_KNOWN_ACCURACY = \[(.*?)\]", text, re.DOTALL)[1]
        found = [name for path in _TABLES for name in json.loads(path.read_text(encoding="utf-8"))]
        self.assertCountEqual(re.findall(r'"([^"]+)"', listed), found)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
