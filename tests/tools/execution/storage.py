"""The storage of the execution service: BuildGrid's, without incomplete files.

DiskStorage of BuildGrid 0.4.4 gives a file its name before its last bytes are written, so a reader
may get an empty file.
"""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import IO

from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Digest
from buildgrid._protos.google.rpc import code_pb2
from buildgrid._protos.google.rpc.status_pb2 import Status
from buildgrid.server.cas.storage.disk import DiskStorage

_CHUNK = 1 << 20


class BlobStorage(DiskStorage):
    """The CAS: a file for each blob, read-only and executable, like an action's inputs."""

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__(str(root))

    @property
    def temporary(self) -> pathlib.Path:
        """Returns a folder on the file system of the blobs."""
        return pathlib.Path(self.temp_path)

    def path(self, digest: Digest) -> pathlib.Path:
        """Returns the path of a blob."""
        return pathlib.Path(self._get_object_path(digest))

    def stream_write_blob(self, digest: Digest, chunks: Iterator[bytes]) -> None:
        """See StorageABC; leaves no file if `chunks` raises an exception."""
        path = self.path(digest)
        path.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.temporary) as file:
            file.writelines(chunks)
            file.flush()
            # Bazel marks every input as executable.
            os.chmod(file.name, 0o555)
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)

    def commit_write(self, digest: Digest, write_session: IO[bytes]) -> None:
        """As StorageABC says."""
        write_session.seek(0)
        self.stream_write_blob(digest, iter(lambda: write_session.read(_CHUNK), b""))

    def bulk_update_blobs(self, blobs: list[tuple[Digest, bytes]]) -> list[Status]:
        """As StorageABC says."""
        for digest, data in blobs:
            self.stream_write_blob(digest, iter([data]))
        return [Status(code=code_pb2.OK) for _ in blobs]
