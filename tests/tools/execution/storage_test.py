import io
import pathlib

from absl.testing import absltest
from buildgrid._protos.google.rpc import code_pb2
from buildgrid.server.utils.digests import create_digest

from tests.tools.execution.storage import BlobStorage


class StorageTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.storage = BlobStorage(pathlib.Path(self.create_tempdir().full_path))
        self.digest = create_digest(b"content")

    def test_what_is_written_is_read(self):
        self.assertEqual(self.storage.missing_blobs([self.digest]), [self.digest])
        self.assertIsNone(self.storage.get_blob(self.digest))
        # Writing a blob again changes nothing.
        for _ in range(2):
            (status,) = self.storage.bulk_update_blobs([(self.digest, b"content")])
            self.assertEqual(status.code, code_pb2.OK)
            self.storage.commit_write(self.digest, io.BytesIO(b"content"))
        self.assertEqual(self.storage.missing_blobs([self.digest]), [])
        self.assertEqual(
            self.storage.bulk_read_blobs([self.digest, create_digest(b"other")]),
            {self.digest.hash: b"content"},
        )

    def test_a_blob_has_its_name_when_it_is_whole(self):
        def chunks():
            yield b"con"
            self.assertFalse(self.storage.has_blob(self.digest))
            yield b"tent"
            self.assertFalse(self.storage.has_blob(self.digest))

        self.storage.stream_write_blob(self.digest, chunks())
        self.assertEqual(self.storage.path(self.digest).read_bytes(), b"content")
        self.assertEmpty(list(self.storage.temporary.iterdir()))

    def test_an_upload_that_breaks_off_leaves_nothing(self):
        def chunks():
            yield b"con"
            raise ConnectionError("the client is gone")

        with self.assertRaises(ConnectionError):
            self.storage.stream_write_blob(self.digest, chunks())
        self.assertFalse(self.storage.has_blob(self.digest))
        self.assertEmpty(list(self.storage.temporary.iterdir()))


if __name__ == "__main__":
    absltest.main()
