import mmap
import os
import pathlib
from unittest import mock

from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import files
from tests.tools.lib.tflite_file import models


class FilesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.create_tempdir().full_path, "x.tflite")
        self.content = models.pack(models.layered())

    def _write(self, content: bytes, size: int | None = None) -> None:
        pathlib.Path(self.path).write_bytes(content)
        if size is not None:
            os.truncate(self.path, size)

    def test_a_model_is_read(self):
        self._write(self.content)
        self.assertEqual(files.read(self.path, ".tflite"), self.content)

    def test_a_model_is_mapped(self):
        self._write(self.content)
        with files.read(self.path, ".tflite", as_map=True) as content:
            self.assertIsInstance(content, mmap.mmap)
            self.assertEqual(content[:], self.content)

    def test_a_large_file_is_refused_unread(self):
        for start, message in (
            (b"", "x.tflite: not a .tflite but nothing but zero bytes"),
            (self.content, "x.tflite: has 3,221,225,472 bytes, but a .tflite has less than 2"),
        ):
            self._write(start, 3 << 30)
            with mock.patch.object(cli, "read_file") as read_file:
                for as_map in (False, True):
                    with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                        files.read(self.path, ".tflite", as_map)
            read_file.assert_not_called()

    def test_other_files_are_refused(self):
        for content, message in (
            (b"", "x.tflite: the .tflite is empty"),
            (b"abc", "x.tflite: not a .tflite"),
        ):
            self._write(content)
            for as_map in (False, True):
                with self.subTest(content), self.assertRaisesRegex(cli.UserError, message):
                    files.read(self.path, ".tflite", as_map)
        os.remove(self.path)
        for as_map in (False, True):
            with self.assertRaisesRegex(cli.UserError, "x.tflite: the .tflite cannot be read: No"):
                files.read(self.path, ".tflite", as_map)

    def test_a_pipe_is_read_once(self):
        reader, writer = os.pipe()
        with open(writer, "wb") as stream:
            stream.write(self.content)
        self.addCleanup(os.close, reader)
        self.assertEqual(files.read(f"/dev/fd/{reader}", ".tflite", as_map=True), self.content)


if __name__ == "__main__":
    absltest.main()
