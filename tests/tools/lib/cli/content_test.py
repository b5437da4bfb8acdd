import gzip
import io
import json
import zipfile

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli, content

_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n"


def _zip():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.tflite", b"x")
    return stream.getvalue()


class ContentTest(parameterized.TestCase):
    @parameterized.parameters(
        (b"<!DOCTYPE html><title>x</title>", "a web page"),
        (b"\xef\xbb\xbf\n  <!doctype HTML>", "a web page"),
        (b"<html lang='en'>", "a web page"),
        (b"<?xml version='1.0'?>\n<!-- x -->\n<HTML>", "a web page"),
        (b"<!-- --><!-- > -->" * 20 + b"<html>", "a web page"),
        (_POINTER, "a Git LFS pointer"),
        (b"/annex/objects/MD5E-s4--00.tflite\n", "a git-annex pointer"),
        (_zip(), "a zip archive"),
        (gzip.compress(b"x"), "a gzip archive"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras writes"),
        (b"\x7fELF\x02\x01", "a program or library (ELF)"),
        (json.dumps({"message": "Not Found"}).encode(), "JSON"),
        (b"\x08\x01\x12\x80", "a SavedModel of TensorFlow"),
        (b"x".ljust(257, b"\0") + b"ustar\0", "a tar archive"),
        (bytes(2000), "nothing but zero bytes"),
    )
    def test_kinds(self, start, kind):
        self.assertEqual(content.what_it_is(start), kind)
        self.assertEqual(content.what_it_is(start[: content.ENOUGH]), kind)

    @parameterized.parameters(
        b"",
        b"\x1c\0\0\0TFL3",
        b"person\nbicycle\n",
        b"<htmlx>",
        b"version 1\n",
        b"{{ x }}",
        b"<a>",
        # These would take longer than anybody waits, if every way to read them were tried.
        b"<!---->" * 73,
        b"<?xml>" * 85,
        b"<!-- " * 102,
    )
    def test_others_are_not_guessed(self, start):
        self.assertIsNone(content.what_it_is(start))

    def test_a_download_of_something_else_is_told_whatever_is_read(self):
        for data, words in (
            (b"<!doctype html>", "is a web page; its address was not that of the file itself"),
            (_POINTER, "is a Git LFS pointer; get the file itself with `git lfs pull`"),
        ):
            path = self.create_tempfile(content=data).full_path
            with self.assertRaisesRegex(cli.UserError, f"{path}: {words}"):
                cli.read_file(path, "list of labels")
        # What somebody may want to read is read.
        path = self.create_tempfile(content=b"{}").full_path
        self.assertEqual(cli.read_file(path, "report"), b"{}")


if __name__ == "__main__":
    absltest.main()
