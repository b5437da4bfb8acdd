"""BuildGrid (https://buildgrid.build) as a remote cache over gRPC."""

import logging
import signal
from collections.abc import Callable, Iterable
from types import FrameType

import grpc
from buildgrid.server.actioncache.instance import ActionCache
from buildgrid.server.app.cli import setup_logging
from buildgrid.server.auth.manager import AuthManager, set_auth_manager
from buildgrid.server.cas.instance import ByteStreamInstance, ContentAddressableStorageInstance
from buildgrid.server.exceptions import PermissionDeniedError, ShutdownSignal
from buildgrid.server.server import Server
from buildgrid.server.servicer import Instance

from tools.cache import settings as settings_lib
from tools.cache import users as users_lib
from tools.cache.buildgrid_storage import FileActionCache, FileStorage
from tools.lib.cli import cli

# A request takes a thread until it is done; what would need one more is refused, and Bazel tries
# again. A Bazel sends up to a hundred at once.
_THREADS = 400

_WARNINGS = 1

# The methods that change nothing (build/bazel/remote/execution/v2/remote_execution.proto and
# google/bytestream/bytestream.proto).
READING = frozenset(
    {
        "BatchReadBlobs",
        "FindMissingBlobs",
        "GetActionResult",
        "GetCapabilities",
        "GetTree",
        "QueryWriteStatus",
        "Read",
    }
)


def allowed(settings: settings_lib.Settings, method: str, authorization: str | None) -> bool:
    """Returns whether a request may be answered.

    Args:
      settings: who may read, who may write, who is known.
      method: the request's name, as in "GetActionResult".
      authorization: its header of that name, if it has one.
    """
    user = users_lib.identified(settings.users, authorization) if authorization else None
    if authorization and user is None and settings.users:
        # A wrong password is a mistake that its owner must see, also where none is asked for.
        return False
    if method in READING:
        return settings.readers == "anonymous" or user is not None
    if settings.writers == "authenticated":
        return user is not None and user.role == "writer"
    return settings.writers == "anonymous"


class Users(AuthManager):
    """Lets BuildGrid ask who may do what; BuildGrid's own manager wants tokens, not passwords."""

    def __init__(self, settings: settings_lib.Settings) -> None:
        self._settings = settings

    def authorize(
        self, context: grpc.ServicerContext, instance_name: str, request_name: str
    ) -> bool:
        """As AuthManager says: there is one instance, so its name decides nothing."""
        del instance_name
        header = dict(context.invocation_metadata()).get("authorization")
        return allowed(self._settings, request_name, header)


def cache_services(storage: FileStorage, cache: FileActionCache) -> list[Instance]:
    """Returns what answers a Bazel that uses a remote cache."""
    return [
        ActionCache(cache),
        ContentAddressableStorageInstance(storage),
        ByteStreamInstance(storage),
    ]


def run(
    endpoint: str,
    credentials: dict[str, str] | None,
    services: Iterable[Instance],
    ready: Callable[[], None],
) -> None:
    """Answers requests until SIGINT or SIGTERM.

    Args:
      endpoint: address and port, as in "127.0.0.1:8980".
      credentials: for TLS, the files of certificate and key by BuildGrid's names; None for no TLS.
      services: what answers.
      ready: is called when requests are taken.

    Raises:
      cli.UserError: it does not start.
    """
    server = Server(
        server_reflection=False,
        grpc_compression=grpc.Compression.NoCompression,
        is_instrumented=False,
        # By default gRPC shares a port with whoever else shares it.
        grpc_server_options=[("grpc.so_reuseport", 0)],
        max_workers=_THREADS,
    )
    server.add_port(endpoint, credentials)
    for service in services:
        # Bazel's --remote_instance_name is empty unless a person gives one.
        server.register_instance("", service)

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise ShutdownSignal(f"signal {number}")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        server.start(on_server_start_cb=ready)
    except ShutdownSignal:
        pass
    except (PermissionDeniedError, RuntimeError) as error:
        raise cli.UserError(f"BuildGrid does not start: {cli.first_line(error)}.") from error
    finally:
        server.stop()


def serve(settings: settings_lib.Settings, ready: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM.

    Args:
      settings: what a person chose, checked; the folder is made.
      ready: is called when the server takes requests.

    Raises:
      cli.UserError: it does not start.
    """
    # BuildGrid sets its own form of lines up, but only where nobody else, as absl does, was first.
    logging.root.handlers.clear()
    setup_logging(verbosity=_WARNINGS)
    set_auth_manager(Users(settings))
    credentials = None
    if settings.certificate and settings.key:
        credentials = {"tls-server-cert": settings.certificate, "tls-server-key": settings.key}
    storage = FileStorage(settings.directory)
    cache = FileActionCache(settings.directory, storage, settings.writers != "nobody")
    run(settings.endpoint, credentials, cache_services(storage, cache), ready)
