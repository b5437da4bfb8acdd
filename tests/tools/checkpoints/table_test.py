import ast
import json
import os
import re

from absl.testing import absltest, parameterized

from tools.checkpoints import table
from tools.cli import cli

_OWN_TABLE = "third_party/checkpoints/released.lock.json"
_SHA256 = "5e" * 32
_TABLE = """\
{
  "archives": {
    "first": {
      "url": "http://host/first.tar.gz", "licence": "Apache-2.0",
      "sha256": "",
      "signatures": {"fp32/ckpt": "first.tsv"}
    },

    "second": {"url": "http://host/second.zip", "size": 7, "sha256":"", "md5": "%s"}
  }
}
""" % ("0f" * 16)


class TableTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir()
        self.path = self.folder.create_file("table.json", _TABLE).full_path

    def _text(self):
        with open(self.path, encoding="utf-8") as stream:
            return stream.read()

    def test_finds_a_row(self):
        self.assertEqual(
            table.find(self.path, "first"),
            table.Row("first", "http://host/first.tar.gz", None, {}, {"fp32/ckpt": "first.tsv"}),
        )
        self.assertEqual(
            table.find(self.path, "second"),
            table.Row("second", "http://host/second.zip", 7, {"md5": "0f" * 16}, {}),
        )

    def test_lists_the_known_names(self):
        with self.assertRaisesRegex(cli.UserError, "no archive named 'x'; it knows: first, second"):
            table.find(self.path, "x")

    def test_a_pin_changes_nothing_else(self):
        self.assertTrue(table.write_pin(self.path, "first", _SHA256, 12))
        self.assertEqual(
            self._text(),
            _TABLE.replace(
                '      "sha256": "",\n', f'      "sha256": "{_SHA256}",\n      "size": 12,\n'
            ),
        )

    def test_a_pin_replaces_a_size(self):
        self.assertTrue(table.write_pin(self.path, "second", _SHA256, 12))
        self.assertEqual(
            self._text(),
            _TABLE.replace('"size": 7, "sha256":""', f'"size": 12, "sha256":"{_SHA256}"'),
        )

    def test_the_same_pin_again_writes_nothing(self):
        table.write_pin(self.path, "first", _SHA256, 12)
        before = os.stat(self.path)
        self.assertFalse(table.write_pin(self.path, "first", _SHA256, 12))
        self.assertEqual(os.stat(self.path).st_ino, before.st_ino)

    def test_a_row_that_vanished_meanwhile_is_an_error(self):
        with self.assertRaisesRegex(cli.UserError, f"cannot be edited in place; .*{_SHA256}"):
            table.write_pin(self.path, "third", _SHA256, 12)
        self.assertEqual(self._text(), _TABLE)

    def test_a_table_that_cannot_be_edited_stays_as_it_is(self):
        text = json.dumps({"first": {"url": "", "sha256": ""}, "archives": {"first": {"url": ""}}})
        path = self.folder.create_file("odd.json", text).full_path
        with self.assertRaisesRegex(cli.UserError, "cannot be edited in place"):
            table.write_pin(path, "first", _SHA256, 12)
        with open(path, encoding="utf-8") as stream:
            self.assertEqual(stream.read(), text)

    @parameterized.parameters(
        ("{", "table.json:1: the pin table is no JSON"),
        ("[]", 'needs an object "archives"'),
        ('{"archives": []}', 'needs an object "archives"'),
        ("", "is empty"),
    )
    def test_refuses_a_broken_table(self, text, message):
        self.folder.create_file("table.json", text)
        with self.assertRaisesRegex(cli.UserError, message):
            table.find(self.path, "first")

    @parameterized.parameters(
        ({"url": None}, 'needs a text "url"'),
        ({"sha256": "12"}, "no sha256 of 64 hexadecimal digits"),
        ({"sha256": None}, "no sha256 of 64 hexadecimal digits"),
        ({"md5": _SHA256}, "no md5 of 32 hexadecimal digits"),
        ({"size": -1}, "size is no positive number"),
        ({"size": "7"}, "size is no positive number"),
        ({"signatures": []}, '"signatures" is no object'),
        ({"signatures": {"../../x": "a.tsv"}}, "'../../x' is no path inside an archive"),
        ({"signatures": {"/x": "a.tsv"}}, "'/x' is no path inside an archive"),
        ({"signatures": {"x": "../a.tsv"}}, "'../a.tsv' is no file name"),
    )
    def test_refuses_a_malformed_row(self, change, message):
        row = {"url": "http://host/x", "sha256": ""} | change
        self.folder.create_file("table.json", json.dumps({"archives": {"x": row}}))
        with self.assertRaisesRegex(cli.UserError, f"the row of x is malformed: .*{message}"):
            table.find(self.path, "x")

    def test_a_row_needs_a_place_for_its_digest(self):
        self.folder.create_file("table.json", '{"archives": {"x": {"url": "http://host/x"}}}')
        with self.assertRaisesRegex(cli.UserError, 'needs "sha256"'):
            table.find(self.path, "x")

    def test_the_projects_own_table_can_be_pinned(self):
        with open(_OWN_TABLE, encoding="utf-8") as stream:
            text = stream.read()
        for name in json.loads(text)["archives"]:
            with self.subTest(name):
                self.folder.create_file("table.json", text)
                self.assertStartsWith(table.find(self.path, name).url, "http")
                table.write_pin(self.path, name, _SHA256, 12)
                pinned = table.find(self.path, name)
                self.assertEqual((pinned.digests["sha256"], pinned.size), (_SHA256, 12))

    def test_every_row_of_the_projects_own_table_is_a_repository(self):
        with open(_OWN_TABLE, encoding="utf-8") as stream:
            names = json.load(stream)["archives"]
        with open(os.path.join(os.path.dirname(_OWN_TABLE), "released.bzl")) as stream:
            declared = re.search(r"_ARCHIVES = (\[.*?\])", stream.read(), re.DOTALL)
        self.assertCountEqual(ast.literal_eval(declared[1]), names)


if __name__ == "__main__":
    absltest.main()
