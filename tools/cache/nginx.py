"""nginx as a remote cache over HTTP (https://bazel.build/remote/caching#nginx)."""

import ctypes
import os
import pathlib
import signal
import subprocess
import time

import jinja2

from tools.cache import settings as settings_lib
from tools.cache import users as users_lib
from tools.cache.directory import Directory
from tools.lib.cli import cli, ports

_TEMPLATE = pathlib.Path(__file__).with_name("nginx.conf.tpl")
_PR_SET_PDEATHSIG = 1
_SECONDS_TO_START = 10.0
# Less than what a container's or a service's manager gives before it kills.
_SECONDS_TO_STOP = 5.0
# A log that is larger becomes the old one, and what was the old one goes.
_LARGEST_LOG = 16 << 20


def configuration(settings: settings_lib.Settings, by_root: bool = False, workers: int = 2) -> str:
    """Returns nginx's configuration file.

    Args:
      settings: what a person chose, checked.
      by_root: whether nginx is started by root, whose the folder then is.
      workers: the number of worker processes.
    """
    environment = jinja2.Environment(
        lstrip_blocks=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        by_root=by_root,
        certificate=settings.certificate,
        key=settings.key,
        listen=settings.endpoint,
        readers=settings.readers,
        root=settings.directory.root,
        temporary=settings.directory.temporary,
        workers=workers,
        writers=settings.writers,
    )


def prepare(settings: settings_lib.Settings) -> pathlib.Path:
    """Writes nginx's configuration and lists of passwords; returns the configuration's path."""
    server = settings.directory.server
    workers = len(os.sched_getaffinity(0))
    for name, users in (
        ("readers", settings.users),
        ("writers", settings_lib.writers_of(settings.users)),
    ):
        path = server / name
        with cli.output_file(str(path), "w") as stream:
            stream.write(users_lib.htpasswd(users))
        path.chmod(0o600)
    path = server / "nginx.conf"
    with cli.output_file(str(path), "w") as stream:
        stream.write(configuration(settings, not os.getuid(), workers))
    return path


def _end_with_parent() -> None:
    """In the child: whoever kills this program with SIGKILL does not leave nginx behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _first_complaint(log: str) -> str:
    """What nginx said first that made it end, without its own trimmings."""
    for line in log.splitlines():
        if "[emerg]" in line:
            return line.partition("[emerg] ")[2].rstrip(".")
    return log.strip() or "it said nothing"


def start(settings: settings_lib.Settings, runtime: pathlib.Path) -> subprocess.Popen[bytes]:
    """Starts nginx and waits until it listens.

    Args:
      settings: what a person chose, checked; the folder is made.
      runtime: the packaged nginx: `bin`, and `lib` with the loader.

    Raises:
      cli.UserError: it does not start.
    """
    path = prepare(settings)
    output = settings.directory.logs / "start.log"
    with open(output, "wb") as log:
        # No file of the machine decides what nginx or its TLS library does.
        process = subprocess.Popen(
            [
                runtime / "lib/ld-linux-x86-64.so.2",
                "--inhibit-cache",
                "--library-path",
                runtime / "lib",
                runtime / "bin/nginx",
                "-e",
                "stderr",
                "-p",
                settings.directory.root,
                "-c",
                path,
            ],
            env={"OPENSSL_CONF": "/dev/null", "PATH": "/dev/null", "TZ": "UTC0"},
            preexec_fn=_end_with_parent,
            # What is typed at a terminal ends this program, which then ends nginx in its own way.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        if process.poll() is not None:
            complaint = _first_complaint(output.read_text(encoding="utf-8", errors="replace"))
            raise cli.UserError(f"nginx does not start: {complaint}.")
        if ports.listens(settings.address, settings.port):
            return process
        if time.monotonic() > deadline:
            process.terminate()
            process.wait()
            raise cli.UserError(
                f"nginx does not listen on {settings.endpoint} after {_SECONDS_TO_START:.0f}"
                f" seconds; its words are in {output}."
            )
        time.sleep(0.02)


def rotate_logs(process: subprocess.Popen[bytes], directory: Directory) -> None:
    """Keeps nginx's logs within a size: a large one gets another name, and nginx begins it anew.

    Args:
      process: the nginx that writes them.
      directory: where they are.
    """
    large = [log for log in directory.logs.glob("*.log") if log.stat().st_size > _LARGEST_LOG]
    for log in large:
        log.replace(log.with_name(f"{log.name}.old"))
    if large:
        process.send_signal(signal.SIGUSR1)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends nginx: it takes no new request and finishes those that it has, for a few seconds."""
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        # Nobody waits for a client that hangs.
        process.terminate()
        process.wait()
