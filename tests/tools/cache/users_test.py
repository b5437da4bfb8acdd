"""Tests of the file of users: what is accepted, what is refused, and nginx's password file."""

import base64
import hashlib
import os

from absl.testing import absltest, parameterized

from reproducible_tflite.cache import users
from reproducible_tflite.lib.cli import cli

_TEXT = """\
# A comment.
writer ci 0123456789abcdef

reader lap.top-1 a-password-of-more-than-16
"""


class UsersTest(parameterized.TestCase):
    def test_lines_are_users(self):
        self.assertEqual(
            users.parse(_TEXT, "FILE"),
            [
                users.User("writer", "ci", "0123456789abcdef"),
                users.User("reader", "lap.top-1", "a-password-of-more-than-16"),
            ],
        )

    @parameterized.parameters(
        ("ci 0123456789abcdef", "line 1 is not"),
        ("owner ci 0123456789abcdef", "line 1 is not"),
        ("\nwriter c:i 0123456789abcdef", "line 2 is not"),
        ("writer ci 0123 456789abcdef", "line 1 is not"),
        ("writer ci short", "line 1: the password of ci"),
        ("writer a 0123456789abcdef\nreader a 0123456789abcdef", "line 2 names a a second time"),
        ("# nobody\n", "no user"),
    )
    def test_other_lines_are_refused_by_number_and_without_the_password(self, text, complaint):
        with self.assertRaisesRegex(cli.UserError, f"FILE: .*{complaint}") as refusal:
            users.parse(text, "FILE")
        self.assertNotIn("0123456789abcdef", str(refusal.exception))

    def test_a_file_that_others_read_is_refused(self):
        path = self.create_tempfile(content=_TEXT).full_path
        os.chmod(path, 0o640)
        with self.assertRaisesRegex(cli.UserError, "chmod 600"):
            users.read(path)
        os.chmod(path, 0o600)
        self.assertLen(users.read(path), 2)

    def test_a_file_that_is_no_text_is_refused(self):
        path = self.create_tempfile(content=b"\xff\xfe").full_path
        os.chmod(path, 0o600)
        with self.assertRaisesRegex(cli.UserError, "UTF-8"):
            users.read(path)

    def test_htpasswd_holds_salted_hashes(self):
        lines = users.htpasswd(users.parse(_TEXT, "FILE")).splitlines()
        self.assertLen(lines, 2)
        name, _, stored = lines[0].partition(":")
        self.assertEqual(name, "ci")
        self.assertStartsWith(stored, "{SSHA}")
        content = base64.b64decode(stored.removeprefix("{SSHA}"), validate=True)
        digest, salt = content[:20], content[20:]
        self.assertLen(salt, 16)
        self.assertEqual(hashlib.sha1(b"0123456789abcdef" + salt).digest(), digest)

    def test_equal_passwords_have_different_hashes(self):
        user = users.User("writer", "ci", "0123456789abcdef")
        self.assertNotEqual(users.htpasswd([user]), users.htpasswd([user]))


if __name__ == "__main__":
    absltest.main()
