"""What BuildGrid keeps its cache in: files that are there, whole, or not there.

BuildGrid 0.4.4 has no action cache that outlives a restart without a Redis or an S3 service, and
its index of the CAS wants a PostgreSQL. Its storage on disk gives a file its name before the last
bytes are written, so that a reader may get an empty file, and a killed server or a full disk leaves
one for good. Here both are the files of `directory.py`, renamed when they are whole.
"""

import contextlib
import errno
import hashlib
import io
import os
import pathlib
import time
from collections.abc import Iterator
from typing import IO

from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    ActionResult,
    Digest,
)
from buildgrid._protos.google.rpc import code_pb2
from buildgrid._protos.google.rpc.status_pb2 import Status
from buildgrid.server.actioncache.caches.action_cache_abc import ActionCacheABC
from buildgrid.server.cas.storage.storage_abc import StorageABC
from buildgrid.server.exceptions import InvalidArgumentError, NotFoundError, StorageFullError
from buildgrid.server.logging import buildgrid_logger
from google.protobuf.message import DecodeError

from tools.cache.directory import Directory, is_digest

_LOGGER = buildgrid_logger(__name__)
_CHUNK = 1 << 20
# How often a use is noted, so that not every request writes.
_NOTE_USE_AFTER = 60.0
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def _note_use(path: pathlib.Path) -> None:
    """Sets the time of access, which a system that is mounted so does once a day or never."""
    status = path.stat()
    if time.time() - status.st_atime > _NOTE_USE_AFTER:
        # Only a file's owner may say when it was used; who may read it may use it all the same.
        with contextlib.suppress(PermissionError):
            os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))


def _path(directory: Directory, kind: str, digest: Digest) -> pathlib.Path:
    """Returns where an entry stands that a client names.

    Raises:
      InvalidArgumentError: it is no digest; BuildGrid itself looks at most at its length.
    """
    if not is_digest(digest.hash):
        raise InvalidArgumentError(f"not a sha256 in hexadecimal: {digest.hash[:80]!r}")
    return directory.path(kind, digest.hash)


class FileStorage(StorageABC):
    """The CAS: one file for each blob."""

    TYPE = "Files"

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        # What was found to be what its name says: its inode and its time of change, by digest.
        self._sound: dict[str, tuple[int, int]] = {}

    def _is_sound(self, digest: Digest, blob: IO[bytes]) -> bool:
        status = os.fstat(blob.fileno())
        identity = status.st_ino, status.st_mtime_ns
        if self._sound.get(digest.hash) == identity:
            return True
        if hashlib.file_digest(blob, "sha256").hexdigest() != digest.hash:
            return False
        blob.seek(0)
        self._sound[digest.hash] = identity
        return True

    def _path(self, digest: Digest) -> pathlib.Path:
        return _path(self._directory, "cas", digest)

    def has_blob(self, digest: Digest) -> bool:
        """As StorageABC says; a file of another size is none, so that it is uploaded anew."""
        path = self._path(digest)
        try:
            if path.stat().st_size != digest.size_bytes:
                _LOGGER.warning("a file is not as long as was asked", tags={"digest": digest})
                return False
            # Who is told that a blob is here relies on it soon.
            _note_use(path)
        except FileNotFoundError:
            return False
        return True

    def missing_blobs(self, digests: list[Digest]) -> list[Digest]:
        return [digest for digest in digests if not self.has_blob(digest)]

    def get_blob(self, digest: Digest) -> IO[bytes] | None:
        """As StorageABC says; one that the disk has changed is removed, so that it comes anew."""
        if not self.has_blob(digest):
            return None
        try:
            blob = open(self._path(digest), "rb")
        except FileNotFoundError:
            return None
        if self._is_sound(digest, blob):
            return blob
        blob.close()
        _LOGGER.warning("a file is not what its digest says and goes", tags={"digest": digest})
        self.delete_blob(digest)
        return None

    def bulk_read_blobs(self, digests: list[Digest]) -> dict[str, bytes]:
        found = {}
        for digest in digests:
            blob = self.get_blob(digest)
            if blob is not None:
                with blob:
                    found[digest.hash] = blob.read()
        return found

    def delete_blob(self, digest: Digest) -> None:
        self._path(digest).unlink(missing_ok=True)

    def bulk_delete(self, digests: list[Digest]) -> list[str]:
        for digest in digests:
            self.delete_blob(digest)
        return []

    def stream_write_blob(self, digest: Digest, chunks: Iterator[bytes]) -> None:
        """As StorageABC says; `chunks` ends with an exception if the digest is wrong."""
        try:
            self._directory.write(self._path(digest), chunks)
        except OSError as error:
            if error.errno in _FULL:
                raise StorageFullError(f"the cache's disk is full: {error.strerror}") from error
            raise

    def commit_write(self, digest: Digest, write_session: IO[bytes]) -> None:
        write_session.seek(0)
        self.stream_write_blob(digest, iter(lambda: write_session.read(_CHUNK), b""))

    def bulk_update_blobs(self, blobs: list[tuple[Digest, bytes]]) -> list[Status]:
        statuses = []
        for digest, data in blobs:
            try:
                self.commit_write(digest, io.BytesIO(data))
                statuses.append(Status(code=code_pb2.OK))
            except StorageFullError as error:
                statuses.append(Status(code=code_pb2.RESOURCE_EXHAUSTED, message=str(error)))
        return statuses


class FileActionCache(ActionCacheABC):
    """The action cache: one file for each action that succeeded, as Bazel's HTTP cache keeps it."""

    def __init__(self, directory: Directory, storage: FileStorage, allow_updates: bool) -> None:
        super().__init__(storage=storage, allow_updates=allow_updates)
        self._directory = directory
        self._files = storage

    def get_action_result(self, action_digest: Digest) -> ActionResult:
        """As ActionCacheABC says: a result whose blobs are not all here is none."""
        path = _path(self._directory, "ac", action_digest)
        missing = NotFoundError(f"no result of {action_digest.hash}/{action_digest.size_bytes}")
        try:
            result = ActionResult.FromString(path.read_bytes())
            if self.referenced_blobs_still_exist(action_digest, result):
                _note_use(path)
                return result
        except FileNotFoundError as error:
            raise missing from error
        except (DecodeError, InvalidArgumentError):
            # It is no result, or names what cannot be a file.
            pass
        _LOGGER.warning("a result lacks files and goes", tags={"digest": action_digest})
        path.unlink(missing_ok=True)
        raise missing

    def update_action_result(self, action_digest: Digest, action_result: ActionResult) -> None:
        if not self._allow_updates:
            raise NotImplementedError("nobody may write this cache")
        # What failed once may succeed the next time.
        if action_result.exit_code == 0:
            path = _path(self._directory, "ac", action_digest)
            self._directory.write(path, [action_result.SerializeToString()])
