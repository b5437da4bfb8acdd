"""Tests of a running server with real requests, but without Bazel."""

import base64
import contextlib
import hashlib
import http.client
import os
import pathlib
import socket
import time

from absl.testing import absltest

from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.bazel import cache_server
from reproducible_tflite.lib.cli import ports

# So large that nginx receives and writes it in pieces.
_CONTENT = b"content" * 100_000
_DIGEST = hashlib.sha256(_CONTENT).hexdigest()


class RunningTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.directory = Directory(self.folder / "cache")

    def serve(self, *options):
        return cache_server.serving(self.directory.root, "--writers=anonymous", *options)

    def log(self):
        return cache_server.log_of(self.directory.root).read_text()

    def wait_for(self, condition, what):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what}: {self.log()}")
            time.sleep(0.05)

    def request(self, server, method, user=None, path=f"/cas/{_DIGEST}"):
        headers = {}
        if user:
            encoded = base64.b64encode(":".join(user).encode()).decode()
            headers["Authorization"] = f"Basic {encoded}"
        content = b"content" if method == "PUT" else None
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as client:
            client.request(method, path, content, headers)
            return client.getresponse().status

    def test_a_password_lets_its_user_in_and_no_other_does(self):
        users = self.folder / "users"
        cache_server.write_users(users)
        reader, writer, wrong = cache_server.READER, cache_server.WRITER, cache_server.WRONG
        for readers, anonymous in (("anonymous", 200), ("authenticated", 401)):
            options = (f"--users={users}", f"--readers={readers}")
            serving = cache_server.serving(self.directory.root, *options)
            with self.subTest(readers), serving as server:
                for user in (None, reader, wrong, (writer[0], ""), (reader[0], writer[1])):
                    self.assertEqual(self.request(server, "PUT", user), 401, user)
                self.assertIn(self.request(server, "PUT", writer), (201, 204))
                self.assertEqual(self.request(server, "GET"), anonymous)
                for user in (reader, writer):
                    self.assertEqual(self.request(server, "GET", user), 200, user)
                if readers == "authenticated":
                    self.assertEqual(self.request(server, "GET", wrong), 401)
                for method in ("DELETE", "MKCOL", "POST"):
                    self.assertGreaterEqual(self.request(server, method, writer), 400, method)

    def test_nobody_writes(self):
        with cache_server.serving(self.directory.root, "--writers=nobody") as server:
            self.assertEqual(self.request(server, "PUT"), 403)
            self.assertEqual(self.request(server, "GET"), 404)

    def test_no_path_leads_out_of_the_cache(self):
        (self.folder / "outside").write_bytes(b"outside")
        with self.serve() as server:
            for path in (
                "/server/nginx.conf",
                "/cas/../server/nginx.conf",
                "/cas/../../outside",
                "/cas/%2e%2e/%2e%2e/outside",
                f"/cas/{'AB' * 32}",
                f"/cas/{_DIGEST}/../../../outside",
            ):
                for method in ("GET", "PUT"):
                    with self.subTest(f"{method} {path}"):
                        self.assertIn(self.request(server, method, path=path), (400, 404, 405))
        self.assertEqual((self.folder / "outside").read_bytes(), b"outside")

    def test_eviction_goes_on_after_a_round_that_failed(self):
        with self.serve("--max_size=1", "--evict_every=0.1"):
            path = self.directory.path("cas", _DIGEST)
            away = self.folder / "away"
            (self.directory.root / "cas").rename(away)
            self.wait_for(lambda: "ERROR: eviction failed: " in self.log(), "nothing said")
            away.rename(self.directory.root / "cas")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(_CONTENT)
            self.wait_for(lambda: not path.exists(), "nothing evicted")
        self.assertNotIn("Traceback", self.log())

    def test_a_large_log_is_begun_anew_once(self):
        with self.serve() as server:
            log = self.directory.logs / "access.log"
            self.request(server, "PUT")
            self.wait_for(lambda: log.stat().st_size, "no line")
            old = log.with_name("access.log.old")
            for _ in range(2):
                os.truncate(log, 17 << 20)
                self.wait_for(lambda: not log.exists() or log.stat().st_size < 1 << 20, "kept")
                self.wait_for(log.exists, "not begun anew")
                self.assertGreater(old.stat().st_size, 16 << 20)
            self.request(server, "PUT")
            self.wait_for(lambda: f"PUT /cas/{_DIGEST} 204" in log.read_text(), "no line")
            self.assertLen(list(self.directory.logs.iterdir()), 4)
            self.assertEqual(server.stop(), 0)

    def _half(self, server):
        """Returns a connection over which half of an upload was sent."""
        client = socket.create_connection(("127.0.0.1", server.port))
        head = (f"PUT /cas/{_DIGEST} HTTP/1.1", "Host: x", f"Content-Length: {len(_CONTENT)}")
        client.sendall("\r\n".join([*head, "", ""]).encode() + _CONTENT[:300_000])
        temporary = self.directory.temporary
        self.wait_for(lambda: any(temporary.iterdir()), "the upload is not begun")
        return client

    def test_the_server_finishes_an_upload_before_it_ends(self):
        with self.serve() as server, contextlib.closing(self._half(server)) as client:
            server.process.terminate()
            # The server accepts no new connections, and continues with this one.
            port = server.port
            self.wait_for(lambda: not ports.listens("127.0.0.1", port), "takes new requests")
            client.sendall(_CONTENT[300_000:])
            self.assertStartsWith(client.recv(100), b"HTTP/1.1 201 ")
            self.assertEqual(server.process.wait(20), 0)
        self.assertEqual(self.directory.path("cas", _DIGEST).read_bytes(), _CONTENT)

    def test_the_server_ends_though_a_client_hangs(self):
        with self.serve() as server, contextlib.closing(self._half(server)):
            begun = time.monotonic()
            self.assertEqual(server.stop(), 0)
        self.assertBetween(time.monotonic() - begun, 4, 15)
        self.assertFalse(self.directory.path("cas", _DIGEST).exists())


if __name__ == "__main__":
    absltest.main()
