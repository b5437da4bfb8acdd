"""An execution service on loopback whose worker hides this machine from actions.

    bazel run //tests/tools/execution:service -- --directory=FOLDER

BuildGrid serves the CAS and the action cache. Its scheduler needs PostgreSQL, and its worker
(buildbox-worker) does not return outputs in the form of version 2.0 of the API, which Bazel 7.7.1
uses. So `LocalExecution` runs each action itself (worker.py).
"""

import logging
import pathlib
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
from absl import flags
from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    Action,
    Digest,
    ExecuteOperationMetadata,
    ExecuteResponse,
    ExecutionStage,
)
from buildgrid._protos.google.longrunning.operations_pb2 import Operation
from buildgrid.server.actioncache.caches.lru_cache import LruActionCache
from buildgrid.server.actioncache.instance import ActionCache
from buildgrid.server.cas.instance import ByteStreamInstance, ContentAddressableStorageInstance
from buildgrid.server.exceptions import FailedPreconditionError
from buildgrid.server.execution.instance import ExecutionInstance
from buildgrid.server.server import Server

from reproducible_tflite.lib.cli import cli
from tests.tools.execution import worker
from tests.tools.execution.storage import BlobStorage

_DIRECTORY = flags.DEFINE_string(
    "directory", None, "Where blobs and roots are kept.", required=True
)
_IMAGE = flags.DEFINE_string("image", None, "The worker's image; the BUILD file names it.")
_SANDBOX = flags.DEFINE_string("sandbox", None, "bubblewrap's folder; the BUILD file names it.")

# The system chooses a port.
_ENDPOINT = "127.0.0.1:0"
# A request occupies a thread until it is done; without a free thread, a request is refused and
# Bazel retries it. Bazel sends up to a hundred at once.
_THREADS = 400
_MOST_RESULTS = 10_000
_ACTIONS_AT_ONCE = 2


class LocalExecution(ExecutionInstance):
    """Runs actions in the threads of their requests."""

    def __init__(self, storage: BlobStorage, cache: LruActionCache, runner: worker.Worker) -> None:
        # The base class would need a scheduler.
        self.scheduler = None
        self._storage, self._cache, self._worker = storage, cache, runner
        self._free = threading.Semaphore(_ACTIONS_AT_ONCE)
        self._pending: dict[str, Digest] = {}

    def start(self) -> None:
        """Does nothing: there is no scheduler to start."""

    def stop(self) -> None:
        """Does nothing: there is no scheduler to stop."""

    def execute(self, *, action_digest: Digest, **ignored: Any) -> str:
        """See ExecutionInstance; Bazel has already looked into the action cache."""
        del ignored
        name = str(uuid.uuid4())
        self._pending[name] = action_digest
        return name

    def stream_operation_updates(self, operation_name: str, context: Any) -> Iterable[Operation]:
        """See ExecutionInstance; yields once that the action is running, then its result."""
        del context
        digest = self._pending.pop(operation_name)
        yield _operation(digest, ExecutionStage.EXECUTING)
        action = self._storage.get_message(digest, Action)
        if action is None:
            raise FailedPreconditionError("the action was not uploaded")
        with self._free:
            result = self._worker.run(action)
        if result.exit_code == 0 and not action.do_not_cache:
            self._cache.update_action_result(digest, result)
        operation = _operation(digest, ExecutionStage.COMPLETED)
        operation.done = True
        operation.response.Pack(ExecuteResponse(result=result))
        yield operation


def _operation(digest: Digest, stage: int) -> Operation:
    operation = Operation()
    operation.metadata.Pack(ExecuteOperationMetadata(stage=stage, action_digest=digest))
    return operation


def _say(port_map: Mapping[str, int]) -> None:
    """Prints the address for the program that started this one."""
    print(f"grpc://127.0.0.1:{port_map[_ENDPOINT]}", flush=True)


def main(argv: Sequence[str]) -> None:
    del argv
    logging.getLogger().setLevel(logging.ERROR)
    storage = BlobStorage(pathlib.Path(cli.callers_path(_DIRECTORY.value)))
    sandbox = pathlib.Path(_SANDBOX.value).absolute()
    loader = [str(sandbox / "lib/ld-linux-x86-64.so.2"), "--library-path", str(sandbox / "lib")]
    runner = worker.Worker(
        storage, pathlib.Path(_IMAGE.value).absolute(), [*loader, str(sandbox / "bin/bwrap")]
    )
    cache = LruActionCache(storage, _MOST_RESULTS, cache_failed_actions=False)
    server = Server(
        server_reflection=False,
        grpc_compression=grpc.Compression.NoCompression,
        is_instrumented=False,
        grpc_server_options=None,
        max_workers=_THREADS,
    )
    server.add_port(_ENDPOINT, None)
    for service in (
        ActionCache(cache),
        ContentAddressableStorageInstance(storage),
        ByteStreamInstance(storage),
        LocalExecution(storage, cache, runner),
    ):
        # Bazel's --remote_instance_name is empty.
        server.register_instance("", service)
    try:
        server.start(port_assigned_callback=_say)
    finally:
        server.stop()


if __name__ == "__main__":
    cli.run(main)
