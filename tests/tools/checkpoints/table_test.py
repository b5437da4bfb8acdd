import ast
import json
import os
import re

from absl.testing import absltest, parameterized

from reproducible_tflite.checkpoints import table
from reproducible_tflite.lib.cli import cli

_OWN_TABLE = "third_party/checkpoints/released.lock.json"
_SHA256 = "5e" * 32
_MD5 = "0f" * 16
_ARCHIVE = "http://host/archive.tar.gz"
_INDEX = "http://host/x/variables.index"
_DATA = "http://host/x/variables.data"
_TABLE = {
    "archive": {
        "licence": "Apache-2.0",
        "files": [{"url": _ARCHIVE, "sha256": ""}],
        "signatures": {"fp32/ckpt": "fp32.tsv"},
    },
    "folder": {
        "licence": "Größe",
        "files": [
            {"path": "v/variables.index", "url": _INDEX, "sha256": "", "md5": _MD5},
            {"path": "v/variables.data", "url": _DATA, "sha256": "", "size": 7},
        ],
    },
}


class TableTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir()
        self.path = self._write(table.formatted(_TABLE))

    def _write(self, text):
        return self.folder.create_file("table.json", text).full_path

    def _rows(self):
        with open(self.path, encoding="utf-8") as stream:
            text = stream.read()
        self.assertEqual(text, table.formatted(json.loads(text)))
        return json.loads(text)

    def test_finds_an_archive(self):
        row = table.find(self.path, "archive")
        self.assertEqual(
            row,
            table.Row("archive", [table.File(_ARCHIVE, None, None, {})], {"fp32/ckpt": "fp32.tsv"}),
        )
        self.assertTrue(row.is_archive)
        self.assertEqual(row.files[0].name, "archive.tar.gz")

    def test_finds_a_folder(self):
        row = table.find(self.path, "folder")
        self.assertEqual(
            row,
            table.Row(
                "folder",
                [
                    table.File(_INDEX, "v/variables.index", None, {"md5": _MD5}),
                    table.File(_DATA, "v/variables.data", 7, {}),
                ],
                {},
            ),
        )
        self.assertFalse(row.is_archive)

    def test_lists_the_known_names(self):
        with self.assertRaisesRegex(
            cli.UserError, "no row named 'x'; its rows are: archive, folder"
        ):
            table.find(self.path, "x")

    def test_a_pin_changes_its_row_only(self):
        self.assertTrue(table.write_pins(self.path, "archive", {_ARCHIVE: (_SHA256, 12)}))
        pinned = {"url": _ARCHIVE, "sha256": _SHA256, "size": 12}
        expected = {**_TABLE, "archive": {**_TABLE["archive"], "files": [pinned]}}
        self.assertEqual(self._rows(), expected)
        self.assertEqual(list(self._rows()["archive"]), ["licence", "files", "signatures"])

    def test_a_pin_of_a_folder_pins_every_file(self):
        pins = {_INDEX: ("1" * 64, 5), _DATA: ("2" * 64, 6)}
        self.assertTrue(table.write_pins(self.path, "folder", pins))
        index, data = self._rows()["folder"]["files"]
        self.assertEqual(list(index), ["path", "url", "sha256", "md5", "size"])
        self.assertEqual((index["sha256"], index["md5"], index["size"]), ("1" * 64, _MD5, 5))
        self.assertEqual((data["sha256"], data["size"]), ("2" * 64, 6))

    def test_the_same_pin_again_writes_nothing(self):
        pins = {_ARCHIVE: (_SHA256, 12)}
        table.write_pins(self.path, "archive", pins)
        before = os.stat(self.path)
        self.assertFalse(table.write_pins(self.path, "archive", pins))
        self.assertEqual(os.stat(self.path).st_ino, before.st_ino)

    def test_a_row_that_changed_during_the_download_is_an_error(self):
        before = self._rows()
        for name, pins in (
            ("gone", {_ARCHIVE: (_SHA256, 12)}),
            ("archive", {_DATA: (_SHA256, 12)}),
            ("folder", {_DATA: (_SHA256, 12)}),
        ):
            with (
                self.subTest(name),
                self.assertRaisesRegex(cli.UserError, f"the row of {name} changed during"),
            ):
                table.write_pins(self.path, name, pins)
        self.assertEqual(self._rows(), before)

    @parameterized.parameters(
        ("{", "table.json:1: the pin table is not valid JSON"),
        ("[]", "must be an object"),
        ("", "is empty"),
    )
    def test_refuses_a_broken_table(self, text, message):
        self._write(text)
        with self.assertRaisesRegex(cli.UserError, message):
            table.find(self.path, "first")

    def _assert_malformed(self, row, message):
        self._write(json.dumps({"x": row}))
        with self.assertRaisesRegex(cli.UserError, f"the row of x is malformed: .*{message}"):
            table.find(self.path, "x")

    @parameterized.parameters(
        ({"licence": None}, 'needs a string "licence"'),
        ({"url": _ARCHIVE}, "not an object of licence, files, signatures"),
        ({"files": []}, "not a list of at least one file"),
        ({"files": {"url": _ARCHIVE}}, "not a list of at least one file"),
        ({"signatures": []}, '"signatures" is not an object'),
        ({"signatures": {"../../x": "a.tsv"}}, "'../../x' is not a path inside"),
        ({"signatures": {"/x": "a.tsv"}}, "'/x' is not a path inside"),
        ({"signatures": {"x": "../a.tsv"}}, "'../a.tsv' is not a file name"),
    )
    def test_refuses_a_malformed_row(self, change, message):
        self._assert_malformed(_TABLE["archive"] | change, message)

    @parameterized.parameters(
        ({"url": None}, 'needs a string "url"'),
        ({"url": "http://host/"}, "that ends in a name"),
        ({"sha": ""}, "not an object of path, url, sha256, md5, size"),
        ({"sha256": "12"}, "sha256 must have 64 lower-case hexadecimal digits"),
        ({"sha256": "AB" * 32}, "sha256 must have 64 lower-case hexadecimal digits"),
        ({"sha256": None}, "sha256 must have 64 lower-case hexadecimal digits"),
        ({"md5": _SHA256}, "md5 must have 32 lower-case hexadecimal digits"),
        ({"size": -1}, "size is not a positive number"),
        ({"size": "7"}, "size is not a positive number"),
        ({"path": "../x"}, "'../x' is not a path inside a folder"),
        ({"path": "/x"}, "'/x' is not a path inside a folder"),
        ({"path": "a/../../x"}, "'a/../../x' is not a path inside a folder"),
        ({"path": ""}, "'' is not a path inside a folder"),
        ({"path": None}, "None is not a path inside a folder"),
    )
    def test_refuses_a_malformed_file(self, change, message):
        files = [{"url": _ARCHIVE, "sha256": ""} | change]
        self._assert_malformed({"licence": "", "files": files}, message)

    @parameterized.parameters(
        ("url", {"path": "b", "url": _DATA}, "two files have the same url"),
        ("path", {"path": "a", "url": _INDEX}, "two files have the same path"),
        ("archive", {"url": _INDEX}, "must be the only file"),
    )
    def test_refuses_files_that_do_not_go_together(self, _, other, message):
        files = [{"path": "a", "url": _DATA, "sha256": ""}, other | {"sha256": ""}]
        self._assert_malformed({"licence": "", "files": files}, message)

    def test_a_file_needs_a_sha256_field(self):
        self._assert_malformed({"licence": "", "files": [{"url": _DATA}]}, 'needs "sha256"')


class OwnTableTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        with open(_OWN_TABLE, encoding="utf-8") as stream:
            self.text = stream.read()
        self.names = json.loads(self.text)

    def test_every_row_can_be_pinned(self):
        path = self.create_tempfile(content=self.text).full_path
        for name in self.names:
            with self.subTest(name):
                files = table.find(path, name).files
                table.write_pins(path, name, {file.url: (_SHA256, 12) for file in files})
                for file in table.find(path, name).files:
                    self.assertEqual((file.digests["sha256"], file.size), (_SHA256, 12))

    def test_its_layout_is_that_of_pinning(self):
        self.assertEqual(self.text, table.formatted(self.names))

    def test_it_is_in_order(self):
        self.assertEqual(list(self.names), sorted(self.names))

    def test_every_row_is_a_repository(self):
        with open(os.path.join(os.path.dirname(_OWN_TABLE), "released.bzl")) as stream:
            declared = re.search(r"ARCHIVES = (\[.*?\])", stream.read(), re.DOTALL)
        self.assertCountEqual(ast.literal_eval(declared[1]), self.names)

    def test_every_signature_is_there(self):
        folder = os.path.join(os.path.dirname(_OWN_TABLE), "signatures")
        there = {name for name in os.listdir(folder) if name.endswith(".tsv")}
        used = set()
        for name in self.names:
            row = table.find(_OWN_TABLE, name)
            # That of a Keras file or a graph has the row's name.
            files = {f"{name}.tsv"} if row.files[0].name.endswith((".h5", ".pb")) else set()
            used |= set(row.signatures.values()) | (files & there)
        self.assertEqual(used, there)

    def test_every_address_is_https(self):
        # Without TLS, Bazel's message does not tell a missing file from a wrong one.
        for name in self.names:
            for file in table.find(_OWN_TABLE, name).files:
                self.assertStartsWith(file.url, "https://")


if __name__ == "__main__":
    absltest.main()
