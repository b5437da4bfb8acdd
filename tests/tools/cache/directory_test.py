"""Tests of the cache's folder: what is accepted, what is left alone, and who owns it."""

import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.cli import cli


class DirectoryTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.directory = Directory(self.root)

    def test_a_folder_has_one_server(self):
        self.directory.make()
        left = self.directory.temporary / "0000000001"
        left.write_bytes(b"half")
        (self.directory.temporary / "folder").mkdir()
        with self.directory.owned():
            self.assertEmpty(list(self.directory.temporary.iterdir()))
            with self.assertRaisesRegex(cli.UserError, "stop it"), self.directory.owned():
                pass
        with self.directory.owned():
            pass

    def test_what_is_missing_is_made(self):
        directory = Directory(self.root / "a" / "b")
        directory.make()
        directory.make()
        self.assertEqual(directory.server.stat().st_mode & 0o777, 0o700)

    @parameterized.parameters((("tmp",),), (("ac",),), (("cas", "log"),), (("server", "x"),))
    def test_a_folder_with_other_files_is_refused_and_left_as_it_is(self, names):
        for name in names:
            (self.root / name).mkdir()
            (self.root / name / "file").write_bytes(b"a person's own")
        before = sorted(self.root.rglob("*"))
        with self.assertRaisesRegex(cli.UserError, "name an empty folder or a cache"):
            self.directory.make()
        self.assertEqual(sorted(self.root.rglob("*")), before)

    def test_a_disk_cache_can_be_served_and_keeps_what_bazel_has_there(self):
        kept = [self.root / name / "file" for name in ("ac", "cas", "tmp", "gc")]
        for file in kept:
            file.parent.mkdir()
            file.write_bytes(b"content")
        self.directory.make()
        with self.directory.owned():
            for file in kept:
                self.assertEqual(file.read_bytes(), b"content")

    @parameterized.parameters("ac", "cas", "uploads-in-progress", "server", "log")
    def test_a_part_that_leads_elsewhere_is_refused(self, name):
        elsewhere = pathlib.Path(self.create_tempdir().full_path)
        (elsewhere / "file").write_bytes(b"a person's own")
        elsewhere.chmod(0o755)
        self.directory.make()
        (self.root / name).rmdir()
        (self.root / name).symlink_to(elsewhere)
        with self.assertRaisesRegex(cli.UserError, f"{name}: this is not a folder"):
            self.directory.make()
        self.assertEqual(elsewhere.stat().st_mode & 0o777, 0o755)
        self.assertTrue((elsewhere / "file").exists())


class OwnerTest(absltest.TestCase):
    """Mocks users, because only root can become another user, and a sandbox has one user."""

    def setUp(self):
        super().setUp()
        self.directory = Directory(pathlib.Path(self.create_tempdir().full_path))
        self.calls = mock.Mock()
        for name in ("setgroups", "setgid", "setuid"):
            self.enter_context(mock.patch.object(os, name, getattr(self.calls, name)))

    def become(self, by, owner, group):
        status = mock.Mock(st_uid=owner, st_gid=group)
        with (
            mock.patch.object(os, "getuid", return_value=by),
            mock.patch.object(pathlib.Path, "stat", return_value=status),
        ):
            self.directory.become_owner()

    def test_root_becomes_whom_the_folder_belongs_to(self):
        self.become(by=0, owner=12345, group=54321)
        # Root must give up its rights last.
        self.assertEqual(
            self.calls.mock_calls,
            [mock.call.setgroups([]), mock.call.setgid(54321), mock.call.setuid(12345)],
        )

    def test_others_stay_who_they_are(self):
        self.become(by=12345, owner=54321, group=54321)
        self.become(by=0, owner=0, group=0)
        self.assertEmpty(self.calls.mock_calls)

    def test_a_folder_that_is_not_there_changes_nobody(self):
        with mock.patch.object(os, "getuid", return_value=0):
            Directory(self.directory.root / "missing").become_owner()
        self.assertEmpty(self.calls.mock_calls)

    def test_who_may_not_is_told(self):
        self.calls.setgroups.side_effect = PermissionError(1, "Operation not permitted")
        with self.assertRaisesRegex(cli.UserError, "user 12345.*start it as that user"):
            self.become(by=0, owner=12345, group=0)


if __name__ == "__main__":
    absltest.main()
