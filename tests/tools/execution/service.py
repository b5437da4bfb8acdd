"""An execution service on loopback whose worker lets an action have nothing of this machine.

    bazel run //tests/tools/execution:service -- --directory=FOLDER

BuildGrid serves the CAS and the action cache. Its scheduler wants a PostgreSQL, and what works for
it (buildbox-worker) does not return the outputs that Bazel 4 asks for; so `LocalExecution` runs
each action by itself (worker.py).
"""

import logging
import pathlib
import signal
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
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
from buildgrid.server.actioncache.instance import ActionCache
from buildgrid.server.cas.instance import ByteStreamInstance, ContentAddressableStorageInstance
from buildgrid.server.exceptions import FailedPreconditionError, ShutdownSignal
from buildgrid.server.execution.instance import ExecutionInstance
from buildgrid.server.server import Server

from tests.tools.execution import worker
from tools.cache.buildgrid_storage import FileActionCache, FileStorage
from tools.cache.directory import Directory
from tools.cli import cli

_DIRECTORY = flags.DEFINE_string(
    "directory", None, "Where blobs and roots are kept.", required=True
)
_IMAGE = flags.DEFINE_string("image", None, "The worker's image; the BUILD file names it.")
_SANDBOX = flags.DEFINE_string("sandbox", None, "bubblewrap's folder; the BUILD file names it.")
_JOBS = flags.DEFINE_integer("jobs", 2, "How many actions run at once.", lower_bound=1)

# A request takes a thread until it is done; Bazel sends up to a hundred at once.
_THREADS = 400


class LocalExecution(ExecutionInstance):
    """Runs what it is asked to, in the request's own thread."""

    def __init__(self, storage: FileStorage, cache: FileActionCache, runner: worker.Worker) -> None:
        """Makes it.

        Args:
          storage: where actions are.
          cache: where results go, of actions that succeeded and may be cached.
          runner: runs an action.
        """
        # What the base class would do with a scheduler is all done here.
        self.scheduler = None
        self._storage, self._cache, self._worker = storage, cache, runner
        self._free = threading.Semaphore(_JOBS.value)
        self._pending: dict[str, Digest] = {}

    def start(self) -> None:
        """Has nothing to start."""

    def stop(self) -> None:
        """Has nothing to stop."""

    def execute(self, *, action_digest: Digest, **ignored: Any) -> str:
        """As ExecutionInstance says; Bazel has looked into the action cache itself."""
        del ignored
        name = str(uuid.uuid4())
        self._pending[name] = action_digest
        return name

    def stream_operation_updates(self, operation_name: str, context: Any) -> Iterable[Operation]:
        """As ExecutionInstance says: says once that it runs, then what came of it."""
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


def serve(directory: Directory, ready: Callable[[int], None]) -> None:
    """Serves on a free port of loopback until SIGTERM.

    Args:
      directory: where blobs, results and roots are.
      ready: is called with the port when it takes requests.
    """
    storage = FileStorage(directory)
    cache = FileActionCache(directory, storage, allow_updates=True)
    sandbox = pathlib.Path(_SANDBOX.value).absolute()
    loader = [str(sandbox / "lib/ld-linux-x86-64.so.2"), "--library-path", str(sandbox / "lib")]
    runner = worker.Worker(
        directory, pathlib.Path(_IMAGE.value).absolute(), [*loader, str(sandbox / "bin/bwrap")]
    )
    server = Server(
        server_reflection=False,
        grpc_compression=grpc.Compression.NoCompression,
        is_instrumented=False,
        grpc_server_options=[],
        max_workers=_THREADS,
    )
    server.add_port("127.0.0.1:0", None)
    for instance in (
        ActionCache(cache),
        ContentAddressableStorageInstance(storage),
        ByteStreamInstance(storage),
        LocalExecution(storage, cache, runner),
    ):
        server.register_instance("", instance)

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, signal.SIG_IGN)
        raise ShutdownSignal(f"signal {number}")

    signal.signal(signal.SIGTERM, stop)
    try:
        server.start(port_assigned_callback=lambda port_map: ready(*port_map.values()))
    except ShutdownSignal:
        pass
    finally:
        server.stop()


def main(argv: Sequence[str]) -> None:
    del argv
    directory = Directory(pathlib.Path(cli.callers_path(_DIRECTORY.value)))
    directory.make()

    logging.getLogger().setLevel(logging.ERROR)

    def ready(port: int) -> None:
        # A program that started this one reads it.
        print(f"grpc://127.0.0.1:{port}", flush=True)

    with directory.owned():
        serve(directory, ready)


if __name__ == "__main__":
    cli.run(main)
