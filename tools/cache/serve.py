"""Serves a remote cache until it is stopped.

    bazel run //tools/cache:serve -- --directory=DIR --users=FILE

README.md explains users, readers and writers, and how to configure Bazel for the cache.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import contextlib
import os
import pathlib
import signal
import threading
from collections.abc import Iterator, Sequence

from absl import flags

from reproducible_tflite.cache import eviction, nginx, settings, users
from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.cli import cli

_DIRECTORY = flags.DEFINE_string(
    "directory", None, "The folder of the cache; created if necessary."
)
_ADDRESS = flags.DEFINE_string("address", "127.0.0.1", "The IP address to listen on.")
_PORT = flags.DEFINE_integer(
    "port", 8980, "The port to listen on.", lower_bound=1, upper_bound=65535
)
_READERS = flags.DEFINE_enum("readers", "anonymous", settings.READERS, "Who may read.")
_WRITERS = flags.DEFINE_enum("writers", "authenticated", settings.WRITERS, "Who may write.")
_USERS = flags.DEFINE_string("users", None, "A file with lines `ROLE NAME PASSWORD`.")
_CERTIFICATE = flags.DEFINE_string(
    "tls_certificate", None, "The server's certificate chain as PEM; switches TLS on."
)
_KEY = flags.DEFINE_string("tls_key", None, "The certificate's private key, as PEM.")
_WITHOUT_TLS = flags.DEFINE_bool(
    "without_tls",
    False,
    "Allows unencrypted passwords on an address that other machines can reach.",
)
_MAX_SIZE = flags.DEFINE_string(
    "max_size",
    None,
    "The largest size of the cache, such as 20G; the least recently used entries are removed.",
)
_EVICT_EVERY = flags.DEFINE_float(
    "evict_every", 300, "Seconds between two checks of the size.", lower_bound=0.1, upper_bound=1e9
)
_NGINX = flags.DEFINE_string("nginx", None, "The packaged nginx; the BUILD file names it.")


def _settings() -> settings.Settings:
    if not _DIRECTORY.value:
        raise cli.UserError("--directory is missing: name the folder of the cache.")

    def optional(path: str | None) -> str | None:
        return settings.absolute(path) if path else None

    chosen = settings.Settings(
        directory=Directory(pathlib.Path(settings.absolute(_DIRECTORY.value))),
        address=_ADDRESS.value,
        port=_PORT.value,
        readers=_READERS.value,
        writers=_WRITERS.value,
        users=users.read(settings.absolute(_USERS.value)) if _USERS.value else (),
        certificate=optional(_CERTIFICATE.value),
        key=optional(_KEY.value),
    )
    settings.check(chosen, _WITHOUT_TLS.value)
    return chosen


def _refuse_unreadable(chosen: settings.Settings) -> None:
    """Refuses files that root can read, but the cache's owner cannot."""
    # What the server reads while it runs: this program, its packages and nginx.
    packages = pathlib.Path(flags.__file__).parents[2]
    program = (__file__, packages, _NGINX.value and os.path.abspath(_NGINX.value))
    for path in (chosen.certificate, chosen.key, *program):
        if path and not os.access(path, os.R_OK):
            raise cli.UserError(
                f"{path}: user {os.getuid()}, who owns {chosen.directory.root} and runs the"
                " server, cannot read this; let that user read it, or name a folder that root owns."
            )


@contextlib.contextmanager
def _evicting(directory: Directory, max_size: int | None) -> Iterator[None]:
    """Keeps the cache below its size limit while the block runs."""
    if max_size is None:
        yield
        return
    over = threading.Event()

    def work() -> None:
        while not over.wait(_EVICT_EVERY.value):
            try:
                evicted = eviction.evict(directory, max_size)
                if evicted.results or evicted.files:
                    cli.say(evicted)
            except (OSError, cli.UserError) as error:
                # The next round may succeed, and the server goes on.
                cli.note(
                    f"ERROR: eviction failed: {error}; it is tried again every"
                    f" {_EVICT_EVERY.value:g} seconds."
                )

    thread = threading.Thread(target=work, name="eviction")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _serve(chosen: settings.Settings) -> None:
    if not _NGINX.value:
        raise cli.UserError("--nginx is missing; start this program with `bazel run`.")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    process = nginx.start(chosen, pathlib.Path(os.path.abspath(_NGINX.value)))
    try:
        scheme = "https" if chosen.certificate else "http"
        cli.say(
            f"Serving {scheme}://{chosen.endpoint} from {chosen.directory.root}; readers:"
            f" {chosen.readers}, writers: {chosen.writers}. SIGINT or SIGTERM ends it."
        )
        while not stopped.wait(0.2):
            if process.poll() is not None:
                raise cli.UserError(
                    f"nginx ended with {process.returncode} unexpectedly; its output is in"
                    f" {chosen.directory.logs}."
                )
            nginx.rotate_logs(process, chosen.directory)
    finally:
        nginx.stop(process)


def main(argv: Sequence[str]) -> None:
    del argv
    chosen = _settings()
    max_size = settings.size(_MAX_SIZE.value) if _MAX_SIZE.value else None
    chosen.directory.become_owner()
    _refuse_unreadable(chosen)
    settings.take_port(chosen)
    chosen.directory.make()
    with chosen.directory.owned(), _evicting(chosen.directory, max_size):
        _serve(chosen)
    cli.say("Stopped.")


if __name__ == "__main__":
    cli.run(main)
