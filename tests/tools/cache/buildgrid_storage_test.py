"""Tests of what BuildGrid keeps its cache in."""

import errno
import hashlib
import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    ActionResult,
    Digest,
    DirectoryNode,
    OutputFile,
)
from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    Directory as DirectoryMessage,
)
from buildgrid._protos.google.rpc import code_pb2
from buildgrid.server.exceptions import InvalidArgumentError, NotFoundError, StorageFullError

from tools.cache.buildgrid_storage import FileActionCache, FileStorage
from tools.cache.directory import Directory


def _digest(content):
    return Digest(hash=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


class StorageTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Directory(pathlib.Path(self.create_tempdir().full_path))
        self.directory.make()
        self.storage = FileStorage(self.directory)

    def cache(self, **options):
        return FileActionCache(self.directory, self.storage, **{"allow_updates": True, **options})

    def temporary(self):
        return list(self.directory.temporary.iterdir())

    def test_what_is_written_is_read(self):
        digest = _digest(b"content")
        self.assertFalse(self.storage.has_blob(digest))
        self.assertIsNone(self.storage.get_blob(digest))
        statuses = self.storage.bulk_update_blobs([(digest, b"content")])
        self.assertEqual([status.code for status in statuses], [code_pb2.OK])
        self.assertTrue(self.storage.has_blob(digest))
        self.assertEqual(
            self.storage.bulk_read_blobs([digest, _digest(b"other")]), {digest.hash: b"content"}
        )
        self.storage.delete_blob(digest)
        self.assertFalse(self.storage.has_blob(digest))

    def test_a_blob_has_its_name_when_it_is_whole(self):
        digest = _digest(b"content")

        def chunks():
            yield b"con"
            self.assertFalse(self.storage.has_blob(digest))
            yield b"tent"
            self.assertFalse(self.storage.has_blob(digest))

        self.storage.stream_write_blob(digest, chunks())
        with self.storage.get_blob(digest) as blob:
            self.assertEqual(blob.read(), b"content")

    def test_an_upload_that_breaks_off_leaves_nothing(self):
        digest = _digest(b"content")

        def chunks():
            yield b"con"
            raise ConnectionError("the client is gone")

        with self.assertRaises(ConnectionError):
            self.storage.stream_write_blob(digest, chunks())
        self.assertFalse(self.storage.has_blob(digest))
        self.assertEmpty(self.temporary())

    def test_a_full_disk_is_said_and_leaves_nothing(self):
        digest = _digest(b"content")
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch("os.replace", side_effect=full):
            with self.assertRaises(StorageFullError):
                self.storage.stream_write_blob(digest, iter([b"content"]))
            statuses = self.storage.bulk_update_blobs([(digest, b"content")])
        self.assertEqual([status.code for status in statuses], [code_pb2.RESOURCE_EXHAUSTED])
        self.assertFalse(self.storage.has_blob(digest))
        self.assertEmpty(self.temporary())

    def test_a_blob_of_another_size_is_none_and_is_replaced(self):
        digest = _digest(b"content")
        self.storage.bulk_update_blobs([(digest, b"content")])
        self.directory.path("cas", digest.hash).write_bytes(b"con")
        self.assertEqual(self.storage.missing_blobs([digest]), [digest])
        self.storage.bulk_update_blobs([(digest, b"content")])
        self.assertEqual(self.storage.missing_blobs([digest]), [])

    def test_a_blob_that_the_disk_has_changed_is_none_and_is_replaced(self):
        digest = _digest(b"content")
        self.storage.bulk_update_blobs([(digest, b"content")])
        self.assertLen(self.storage.bulk_read_blobs([digest]), 1)
        self.directory.path("cas", digest.hash).write_bytes(b"conTent")
        self.assertIsNone(self.storage.get_blob(digest))
        self.assertEqual(self.storage.missing_blobs([digest]), [digest])

    def test_a_use_is_noted_and_one_that_may_not_be_is_a_use_all_the_same(self):
        digest = _digest(b"content")
        self.storage.bulk_update_blobs([(digest, b"content")])
        path = self.directory.path("cas", digest.hash)
        os.utime(path, ns=(0, 0))
        with mock.patch("os.utime", side_effect=PermissionError):
            self.assertTrue(self.storage.has_blob(digest))
        self.assertEqual(path.stat().st_atime_ns, 0)
        self.assertTrue(self.storage.has_blob(digest))
        self.assertGreater(path.stat().st_atime_ns, 0)
        self.assertEqual(path.stat().st_mtime_ns, 0)

    @parameterized.parameters(
        "",
        "..",
        "{outside}",
        "../../../outside",
        "../" * 19 + "outside",
        "AB" * 32,
        "ab" * 31,
        "ab" * 31 + "a\n",
    )
    def test_what_is_no_digest_is_refused_and_leads_nowhere(self, name):
        outside = pathlib.Path(self.create_tempdir().full_path, "outside")
        # Neither a message nor a blob, so that whoever reads it would remove it.
        outside.write_bytes(b"\xff\xff")
        digest = Digest(hash=name.format(outside=outside), size_bytes=2)
        result = ActionResult(output_files=[OutputFile(path="o", digest=digest)])
        for request in (
            lambda: self.cache().get_action_result(digest),
            lambda: self.cache().update_action_result(digest, ActionResult()),
            lambda: self.storage.missing_blobs([digest]),
            lambda: self.storage.bulk_read_blobs([digest]),
            lambda: self.storage.bulk_update_blobs([(digest, b"\xff\xff")]),
            lambda: self.storage.stream_write_blob(digest, iter([b"no"])),
            lambda: self.storage.bulk_delete([digest]),
            lambda: list(self.storage.get_tree(digest)),
        ):
            with self.assertRaises(InvalidArgumentError):
                request()
        with self.assertRaises(ValueError):
            self.directory.path("cas", digest.hash)

        # In what a client has uploaded it is not followed either.
        action = _digest(b"action")
        self.cache().update_action_result(action, result)
        with self.assertRaises(NotFoundError):
            self.cache().get_action_result(action)
        message = DirectoryMessage(directories=[DirectoryNode(name="d", digest=digest)])
        folder = self.storage.put_message(message)
        with self.assertRaises(InvalidArgumentError):
            list(self.storage.get_tree(folder))
        self.assertEqual(outside.read_bytes(), b"\xff\xff")

    def test_another_server_finds_the_results(self):
        blob, action = _digest(b"output"), _digest(b"action")
        self.storage.bulk_update_blobs([(blob, b"output")])
        result = ActionResult(output_files=[OutputFile(path="o", digest=blob)])
        self.cache().update_action_result(action, result)
        other = FileStorage(self.directory)
        again = FileActionCache(self.directory, other, allow_updates=False)
        self.assertEqual(again.get_action_result(action), result)

    def test_a_result_whose_blob_is_gone_is_none(self):
        blob, action = _digest(b"output"), _digest(b"action")
        result = ActionResult(output_files=[OutputFile(path="o", digest=blob)])
        self.cache().update_action_result(action, result)
        with self.assertRaises(NotFoundError):
            self.cache().get_action_result(action)
        self.assertFalse(self.directory.path("ac", action.hash).exists())

    def test_a_result_that_cannot_be_read_is_none(self):
        action = _digest(b"action")
        self.directory.write(self.directory.path("ac", action.hash), [b"\xff\xff"])
        with self.assertRaises(NotFoundError):
            self.cache().get_action_result(action)

    def test_a_failure_is_not_kept(self):
        action = _digest(b"action")
        self.cache().update_action_result(action, ActionResult(exit_code=1))
        with self.assertRaises(NotFoundError):
            self.cache().get_action_result(action)

    def test_a_cache_that_nobody_writes_takes_nothing(self):
        with self.assertRaises(NotImplementedError):
            self.cache(allow_updates=False).update_action_result(_digest(b"a"), ActionResult())


if __name__ == "__main__":
    absltest.main()
