"""Tests of the server's settings and of the nginx configuration made from them."""

import dataclasses
import pathlib
import re
import socket

from absl.testing import absltest, parameterized

from reproducible_tflite.cache import nginx, settings, users
from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.cli import cli, ports

_WRITER = users.User("writer", "ci", "0123456789abcdef")
_READER = users.User("reader", "laptop", "0123456789abcdeF")
_GOOD = settings.Settings(Directory(pathlib.Path("/srv/cache")), users=(_WRITER, _READER))


def _changed(**changes):
    return dataclasses.replace(_GOOD, **changes)


class SettingsTest(parameterized.TestCase):
    def test_what_fits_is_taken(self):
        for good in (
            _GOOD,
            _changed(readers="authenticated"),
            _changed(writers="anonymous", users=()),
            _changed(writers="nobody", users=()),
            _changed(writers="nobody", readers="authenticated", users=(_READER,)),
            _changed(address="::1"),
        ):
            settings.check(good, without_tls=False)

    @parameterized.parameters(
        ({"address": "localhost"}, "--address=localhost"),
        ({"directory": Directory(pathlib.Path('/srv/a"b'))}, "--directory"),
        ({"directory": Directory(pathlib.Path("/srv/$home"))}, "--directory"),
        ({"directory": Directory(pathlib.Path("/srv/a\nb"))}, "--directory"),
        ({"certificate": "/x.pem"}, "give both"),
        ({"key": "/x.pem"}, "give both"),
        ({"certificate": "/nowhere/x.pem", "key": "/nowhere/y.pem"}, "/nowhere/x.pem"),
        ({"users": ()}, "--users"),
        ({"users": (_READER,)}, "names a writer"),
        ({"writers": "anonymous"}, "neither readers nor writers"),
        ({"writers": "anonymous", "readers": "authenticated"}, "or --readers=anonymous"),
        ({"writers": "anonymous", "users": (), "address": "0.0.0.0"}, "loopback"),
        ({"address": "192.0.2.1"}, "unencrypted"),
        ({"address": "::"}, "unencrypted"),
    )
    def test_what_does_not_fit_is_refused(self, changes, complaint):
        with self.assertRaisesRegex(cli.UserError, complaint):
            settings.check(_changed(**changes), without_tls=False)

    def test_a_person_may_send_passwords_in_clear(self):
        settings.check(_changed(address="192.0.2.1"), without_tls=True)

    @parameterized.parameters(("1", 1), ("3K", 3072), ("500M", 500 << 20), ("2T", 2 << 40))
    def test_sizes(self, text, size):
        self.assertEqual(settings.size(text), size)

    @parameterized.parameters("", "0", "0G", "1.5G", "-1", "20GB", "g")
    def test_what_is_no_size_is_refused(self, text):
        with self.assertRaisesRegex(cli.UserError, "--max_size"):
            settings.size(text)

    def test_a_port_that_is_taken_is_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = _changed(port=other.getsockname()[1])
            self.assertTrue(ports.listens(taken.address, taken.port))
            with self.assertRaisesRegex(cli.UserError, "choose another"):
                settings.take_port(taken)
        settings.take_port(taken)
        self.assertFalse(ports.listens(taken.address, taken.port))

    @parameterized.parameters({"port": 70000}, {"address": "192.0.2.1"})
    def test_a_port_that_cannot_be_is_refused(self, **changes):
        with self.assertRaisesRegex(cli.UserError, "choose another"):
            settings.take_port(_changed(**changes))

    def test_an_address_stands_as_in_a_url(self):
        self.assertEqual(_GOOD.endpoint, "127.0.0.1:8980")
        self.assertEqual(_changed(address="::1").endpoint, "[::1]:8980")


class ConfigurationTest(absltest.TestCase):
    """Tests what running_test.py does not see of a server."""

    def test_tls_is_there_when_it_is_asked_for(self):
        plain = nginx.configuration(_GOOD)
        secure = nginx.configuration(_changed(certificate="/c.pem", key="/k.pem"))
        self.assertNotIn("ssl", plain)
        self.assertRegex(secure, r"listen 127\.0\.0\.1:8980 ssl;")
        self.assertIn('ssl_certificate_key "/k.pem"', secure)

    def test_only_root_names_a_user(self):
        self.assertIsNone(re.search(r"^user", nginx.configuration(_GOOD), re.MULTILINE))
        self.assertIn("\nuser nobody nogroup;\n", nginx.configuration(_GOOD, "nobody nogroup"))


if __name__ == "__main__":
    absltest.main()
