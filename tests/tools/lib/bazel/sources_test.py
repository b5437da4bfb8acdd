import os
import pathlib
from unittest import mock

from absl.testing import absltest

from reproducible_tflite.lib.bazel import sources
from reproducible_tflite.lib.cli import cli


class SourcesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.create_tempdir()
        for name in ("a/run", ".git/index", "inside/.git/index", "user.bazelrc"):
            folder.create_file(name)
        self.folder = pathlib.Path(folder.full_path)
        (self.folder / "a" / "run").chmod(0o755)
        (self.folder / "a" / "link").symlink_to("nowhere")

    def _git(self, script: str) -> None:
        """Replaces git by another program."""
        folder = self.create_tempdir()
        os.chmod(folder.create_file("git", content=script).full_path, 0o755)
        self.enter_context(mock.patch.dict(os.environ, PATH=folder.full_path))

    def test_what_git_lists_and_is_there_is_copied(self):
        self._git("#!/bin/sh\nprintf 'a/run\\0a/link\\0removed\\0inside/\\0a/run\\0'\n")
        self.assertEqual(sources.files(self.folder), ["a/link", "a/run"])
        copy = pathlib.Path(self.create_tempdir().full_path) / "copy"
        sources.copy(self.folder, copy)
        self.assertEqual(sources.all_files(copy), ["a/link", "a/run"])
        self.assertEqual((copy / "a" / "link").readlink(), pathlib.Path("nowhere"))
        self.assertEqual((copy / "a" / "run").stat().st_mode & 0o777, 0o755)

    def test_what_git_refuses_is_said(self):
        self._git("#!/bin/sh\necho 'dubious ownership' >&2\nexit 128\n")
        with self.assertRaisesRegex(cli.UserError, "cannot list its files: dubious ownership"):
            sources.files(self.folder)

    def test_a_machine_without_git_is_told(self):
        with mock.patch.dict(os.environ, PATH="/nowhere"):
            with self.assertRaisesRegex(cli.UserError, "cannot be started: No such file"):
                sources.files(self.folder)

    def test_a_copy_inside_of_what_is_copied_is_refused(self):
        with self.assertRaisesRegex(cli.UserError, "in the workspace itself"):
            sources.copy(self.folder, self.folder / "copy")

    def test_without_version_control_all_is_listed_but_gits_own(self):
        self.assertEqual(sources.all_files(self.folder), ["a/link", "a/run", "user.bazelrc"])


if __name__ == "__main__":
    absltest.main()
