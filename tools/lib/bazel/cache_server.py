"""Starts and stops //tools/cache:serve and reads its log, for benchmarks and tests."""

import base64
import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli, ports

_SERVE = flags.DEFINE_string("serve", None, "The program; the BUILD file names it.")
_NGINX = flags.DEFINE_string("nginx", None, "What it runs; the BUILD file names it.")

_HOST = "127.0.0.1"
WRITER = ("ci", "a-long-word-for-ci")
READER = ("laptop", "a-long-word-for-laptops")
WRONG = ("ci", "not-what-it-was-told")

# Lines of nginx's access log (tools/cache/nginx.conf.tpl).
_GET = re.compile(r" GET (/cas/\S+) 200 (\d+) ")
_PUT = re.compile(r" PUT /\S+ 20[14] \d+ (\d+)")


def program() -> list[str]:
    """Returns the command line of the server.

    Raises:
      cli.UserError: this program was not started by `bazel run`.
    """
    if not _SERVE.value or not _NGINX.value:
        raise cli.UserError("--serve or --nginx is missing; start this program with `bazel run`.")
    return [os.path.abspath(_SERVE.value), f"--nginx={os.path.abspath(_NGINX.value)}"]


def log_of(directory: pathlib.Path) -> pathlib.Path:
    """Returns the path of the server's output."""
    return directory.with_name(f"{directory.name}.log")


def authorization(user: tuple[str, str]) -> str:
    """Returns Bazel's flag for a name and a password."""
    encoded = base64.b64encode(":".join(user).encode()).decode()
    return f"--remote_header=authorization=Basic {encoded}"


def write_users(path: pathlib.Path) -> None:
    """Writes a file of users with WRITER and READER."""
    path.write_text(f"writer {' '.join(WRITER)}\nreader {' '.join(READER)}\n")
    path.chmod(0o600)


class NotStarted(AssertionError):
    """A server ended early or accepts no connections; the text is its output."""


@dataclasses.dataclass
class Server:
    """A running server on the cache in a directory."""

    directory: pathlib.Path
    port: int
    process: subprocess.Popen[bytes]
    tls: bool = False

    def address(self, other_port: int | None = None) -> str:
        """Returns the value for --remote_cache; `other_port` is that of a proxy."""
        origin = "https://localhost" if self.tls else f"http://{_HOST}"
        return f"{origin}:{other_port or self.port}"

    def descendants(self) -> list[int]:
        """Returns the process numbers of the server and all its child processes."""
        pids, pending = [], [self.process.pid]
        while pending:
            pid = pending.pop()
            pids.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    pending += map(int, task.read_text().split())
        return pids

    def kill(self) -> None:
        """Kills the server and all its child processes with SIGKILL."""
        for pid in self.descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        # The workers are not children of this program.
        while ports.listens(_HOST, self.port):
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stops the server as Ctrl-C does; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@dataclasses.dataclass(frozen=True)
class Traffic:
    """The traffic in nginx's access log.

    Attributes:
      blobs: the path and size of every file that a Bazel downloaded.
      sent: the bytes that Bazel uploaded.
    """

    blobs: Sequence[tuple[str, int]]
    sent: int

    @property
    def received(self) -> int:
        """The total size of the downloaded files in bytes."""
        return sum(size for _, size in self.blobs)


def traffic(log: str) -> Traffic:
    """Reads lines of nginx's access log."""
    return Traffic(
        blobs=[(path, int(size)) for path, size in _GET.findall(log)],
        sent=sum(map(int, _PUT.findall(log))),
    )


@contextlib.contextmanager
def serving(
    directory: pathlib.Path,
    *options: str,
    preparation: Callable[[], None] | None = None,
) -> Iterator[Server]:
    """Yields a running server and stops it at the end of the block.

    `preparation` is called in the child process before the server starts.

    Raises:
      NotStarted: the server does not start.
    """
    port = ports.free()
    log = log_of(directory)
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [*program(), f"--directory={directory}", f"--port={port}", *options],
            preexec_fn=preparation,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    server = Server(directory, port, process, any("--tls_key" in each for each in options))
    try:
        deadline = time.monotonic() + 30
        while not ports.listens(_HOST, port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotStarted(f"the server does not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield server
    finally:
        if process.poll() is None:
            server.kill()
