"""Tests of running servers that need no Bazel: real requests, and what happens beside them."""

import contextlib
import hashlib
import http.client
import os
import pathlib
import socket
import time

import grpc
from absl.testing import absltest, parameterized
from buildgrid._protos.build.bazel.remote.execution.v2 import (
    remote_execution_pb2,
    remote_execution_pb2_grpc,
)
from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Digest

from tests.tools.cache import servers
from tools.cache import settings
from tools.cache.directory import Directory

# nginx gets it in pieces, and so writes it as it comes.
_CONTENT = b"content" * 100_000
_DIGEST = hashlib.sha256(_CONTENT).hexdigest()


class RunningTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.directory = Directory(self.folder / "cache")

    def serve(self, backend, *options):
        return servers.serving(backend, self.directory.root, "--writers=anonymous", *options)

    def log(self):
        return servers.log_of(self.directory.root).read_text()

    def wait_for(self, condition, what):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what}: {self.log()}")
            time.sleep(0.05)

    def put(self, server, content=_CONTENT):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as client:
            client.request("PUT", f"/cas/{hashlib.sha256(content).hexdigest()}", content)
            return client.getresponse().status

    def _requests(self, channel, digest):
        """Every request in which a client names a digest that BuildGrid itself does not refuse."""
        messages = remote_execution_pb2
        cache = remote_execution_pb2_grpc.ActionCacheStub(channel)
        cas = remote_execution_pb2_grpc.ContentAddressableStorageStub(channel)
        return (
            lambda: cache.GetActionResult(messages.GetActionResultRequest(action_digest=digest)),
            lambda: cache.UpdateActionResult(
                messages.UpdateActionResultRequest(action_digest=digest)
            ),
            lambda: cas.FindMissingBlobs(messages.FindMissingBlobsRequest(blob_digests=[digest])),
            lambda: list(cas.GetTree(messages.GetTreeRequest(root_digest=digest))),
        )

    def test_buildgrid_follows_no_path(self):
        outside = self.folder / "outside"
        # Neither a message nor a blob, so that whoever reads it would remove it.
        outside.write_bytes(b"\xff\xff")
        with (
            self.serve("buildgrid") as server,
            grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            for name in (str(outside), "../../../outside", "AB" * 32, "ab" * 31, ""):
                for request in self._requests(channel, Digest(hash=name, size_bytes=2)):
                    with self.subTest(name), self.assertRaises(grpc.RpcError) as refusal:
                        request()
                    self.assertEqual(refusal.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            request = remote_execution_pb2.BatchReadBlobsRequest(
                digests=[Digest(hash="../" * 19 + "outside", size_bytes=2)]
            )
            cas = remote_execution_pb2_grpc.ContentAddressableStorageStub(channel)
            with self.assertRaises(grpc.RpcError) as refusal:
                cas.BatchReadBlobs(request)
            self.assertEqual(refusal.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(outside.read_bytes(), b"\xff\xff")

    @parameterized.parameters("nginx", "buildgrid")
    def test_eviction_goes_on_after_a_round_that_failed(self, backend):
        with self.serve(backend, "--max_size=1", "--evict_every=0.1"):
            path = self.directory.path("cas", _DIGEST)
            away = self.folder / "away"
            (self.directory.root / "cas").rename(away)
            self.wait_for(lambda: "ERROR: eviction broke off: " in self.log(), "nothing said")
            away.rename(self.directory.root / "cas")
            self.directory.write(path, [_CONTENT])
            self.wait_for(lambda: not path.exists(), "nothing evicted")
        self.assertNotIn("Traceback", self.log())

    def test_a_large_log_of_nginx_is_begun_anew_once(self):
        with self.serve("nginx") as server:
            log = self.directory.logs / "access.log"
            self.put(server)
            self.wait_for(lambda: log.stat().st_size, "no line")
            old = log.with_name("access.log.old")
            for _ in range(2):
                os.truncate(log, 17 << 20)
                self.wait_for(lambda: not log.exists() or log.stat().st_size < 1 << 20, "kept")
                self.wait_for(log.exists, "not begun anew")
                self.assertGreater(old.stat().st_size, 16 << 20)
            self.put(server)
            self.wait_for(lambda: f"PUT /cas/{_DIGEST} 204" in log.read_text(), "no line")
            self.assertLen(list(self.directory.logs.iterdir()), 4)
            self.assertEqual(server.stop(), 0)

    def _half(self, server):
        """A connection on which half an upload was sent."""
        client = socket.create_connection(("127.0.0.1", server.port))
        head = (f"PUT /cas/{_DIGEST} HTTP/1.1", "Host: x", f"Content-Length: {len(_CONTENT)}")
        client.sendall("\r\n".join([*head, "", ""]).encode() + _CONTENT[:300_000])
        temporary = self.directory.temporary
        self.wait_for(lambda: any(temporary.iterdir()), "the upload is not begun")
        return client

    def test_nginx_finishes_an_upload_before_it_ends(self):
        with self.serve("nginx") as server, contextlib.closing(self._half(server)) as client:
            server.process.terminate()
            # It takes no new ones, and goes on with this one.
            port = server.port
            self.wait_for(lambda: not settings.listens("127.0.0.1", port), "takes new requests")
            client.sendall(_CONTENT[300_000:])
            self.assertStartsWith(client.recv(100), b"HTTP/1.1 201 ")
            self.assertEqual(server.process.wait(20), 0)
        self.assertEqual(self.directory.path("cas", _DIGEST).read_bytes(), _CONTENT)

    def test_nginx_ends_though_a_client_hangs(self):
        with self.serve("nginx") as server, contextlib.closing(self._half(server)):
            begun = time.monotonic()
            self.assertEqual(server.stop(), 0)
        self.assertBetween(time.monotonic() - begun, 4, 15)
        self.assertFalse(self.directory.path("cas", _DIGEST).exists())


if __name__ == "__main__":
    absltest.main()
