"""Tests of who nginx's workers are if root starts the server; only root could do it for real.

`bazel run //tests/tools/cache:failures -- --cases=root_owner` does, if root runs it.
"""

import grp
import os
import pathlib
import pwd
import tempfile
from unittest import mock

from absl.testing import absltest

from reproducible_tflite.cache import nginx, settings, users
from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.cli import cli

_USER, _GROUP = 12345, 54321


class WorkersTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        # Every user can enter /tmp.
        parent = self.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))
        self.parent = pathlib.Path(parent)
        self.parent.chmod(0o711)
        self.directory = Directory(self.parent / "cache")
        self.directory.make()
        self.directory.root.chmod(0o700)
        self.entry = self.directory.path("cas", "ab" * 32)
        self.entry.parent.mkdir()
        self.entry.write_bytes(b"content")
        user, group = mock.Mock(pw_uid=_USER, pw_gid=_GROUP), mock.Mock(gr_name="nogroup")
        self.enter_context(mock.patch.object(pwd, "getpwnam", return_value=user))
        self.enter_context(mock.patch.object(grp, "getgrgid", return_value=group))
        self.chown = self.enter_context(mock.patch.object(os, "chown"))
        self.settings = settings.Settings(
            self.directory, users=(users.User("writer", "ci", "0123456789abcdef"),)
        )

    def _prepare(self, by: int = 0) -> str:
        with mock.patch.object(os, "getuid", return_value=by):
            return nginx.prepare(self.settings).read_text(encoding="utf-8")

    def _given(self, user: int) -> set[pathlib.Path]:
        return {
            pathlib.Path(call.args[0]) for call in self.chown.call_args_list if call.args[1] == user
        }

    def _mode(self, path: pathlib.Path) -> int:
        return path.stat().st_mode & 0o777

    def test_they_are_never_root(self):
        configuration = self._prepare()
        self.assertIn("\nuser nobody nogroup;\n", configuration)
        self.assertNotIn("root;", configuration)

    def test_they_own_entries_and_nothing_else(self):
        self._prepare()
        root = self.directory.root
        folders = {root / "ac", root / "cas", self.entry.parent, self.directory.temporary}
        self.assertEqual(self._given(_USER), {*folders, self.entry})

    def test_they_can_read_passwords_and_others_cannot(self):
        self._prepare()
        server = self.directory.server
        for name in ("readers", "writers"):
            self.assertIn(mock.call(server / name, -1, _GROUP), self.chown.call_args_list)
            self.assertEqual(self._mode(server / name), 0o640)
        self.assertEqual(self._mode(server), 0o710)
        self.assertEqual(self._mode(self.directory.root), 0o701)

    def test_without_root_nothing_is_given_away(self):
        self.assertNotIn("\nuser ", self._prepare(by=12345))
        self.chown.assert_not_called()
        self.assertEqual(self._mode(self.directory.server), 0o700)
        self.assertEqual(self._mode(self.directory.server / "writers"), 0o600)

    def test_a_folder_that_they_cannot_reach_is_refused(self):
        self.parent.chmod(0o700)
        with self.assertRaisesRegex(cli.UserError, f"cannot enter {self.parent}; run `chmod o"):
            self._prepare()

    def test_a_machine_without_that_user_is_refused(self):
        for module, name in ((pwd, "getpwnam"), (grp, "getgrgid")):
            with (
                mock.patch.object(module, name, side_effect=KeyError),
                self.assertRaisesRegex(cli.UserError, "user nobody.* is unknown here"),
            ):
                self._prepare()

    def test_a_root_who_may_not_give_files_away_is_told(self):
        self.chown.side_effect = PermissionError(1, "Operation not permitted", "server")
        with self.assertRaisesRegex(cli.UserError, "cannot be given to user nobody.*not permitted"):
            self._prepare()


if __name__ == "__main__":
    absltest.main()
