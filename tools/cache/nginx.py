"""nginx as a remote cache over HTTP (https://bazel.build/remote/caching#nginx)."""

import ctypes
import os
import pathlib
import signal
import subprocess
import time

import jinja2

from reproducible_tflite.cache import settings as settings_lib
from reproducible_tflite.cache import users as users_lib
from reproducible_tflite.cache import workers as workers_lib
from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.cli import cli, ports

_TEMPLATE = pathlib.Path(__file__).with_name("nginx.conf.tpl")
_PR_SET_PDEATHSIG = 1
_SECONDS_TO_START = 10.0
# Shorter than the time after which a container or service manager kills the server.
_SECONDS_TO_STOP = 5.0
# A larger log replaces the old log.
_LARGEST_LOG = 16 << 20


def configuration(
    settings: settings_lib.Settings, user: str | None = None, workers: int = 2
) -> str:
    """Returns nginx's configuration file.

    Args:
      settings: the checked settings.
      user: the workers' user and group, if root starts nginx; otherwise they are who starts it.
      workers: the number of worker processes.
    """
    environment = jinja2.Environment(
        lstrip_blocks=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        certificate=settings.certificate,
        key=settings.key,
        listen=settings.endpoint,
        readers=settings.readers,
        root=settings.directory.root,
        temporary=settings.directory.temporary,
        user=user,
        workers=workers,
        writers=settings.writers,
    )


def prepare(settings: settings_lib.Settings) -> pathlib.Path:
    """Writes nginx's configuration and lists of passwords; returns the configuration's path."""
    server = settings.directory.server
    passwords = {
        server / "readers": settings.users,
        server / "writers": settings_lib.writers_of(settings.users),
    }
    for path, users in passwords.items():
        with cli.output_file(str(path), "w") as stream:
            stream.write(users_lib.htpasswd(users))
        path.chmod(0o600)
    user = None if os.getuid() else workers_lib.admit(settings.directory, list(passwords))
    path = server / "nginx.conf"
    with cli.output_file(str(path), "w") as stream:
        stream.write(configuration(settings, user, len(os.sched_getaffinity(0))))
    return path


def _end_with_parent() -> None:
    """Runs in the child process, so that nginx ends too if this program is killed by SIGKILL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _first_complaint(log: str) -> str:
    """Returns the first error in nginx's output, without the date and the process number."""
    for line in log.splitlines():
        if "[emerg]" in line:
            return line.partition("[emerg] ")[2].rstrip(".")
    return log.strip() or "it said nothing"


def start(settings: settings_lib.Settings, runtime: pathlib.Path) -> subprocess.Popen[bytes]:
    """Starts nginx and waits until it listens.

    Args:
      settings: the checked settings; the folder exists.
      runtime: the packaged nginx: `bin`, and `lib` with the loader.

    Raises:
      cli.UserError: it does not start.
    """
    path = prepare(settings)
    output = settings.directory.logs / "start.log"
    with open(output, "wb") as log:
        # No file of the machine configures nginx or its TLS library.
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
            # Ctrl-C at a terminal ends this program only, which then ends nginx properly.
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
                f" seconds; its output is in {output}."
            )
        time.sleep(0.02)


def rotate_logs(process: subprocess.Popen[bytes], directory: Directory) -> None:
    """Keeps nginx's logs small: renames a large log and lets nginx start a new one."""
    large = [log for log in directory.logs.glob("*.log") if log.stat().st_size > _LARGEST_LOG]
    for log in large:
        log.replace(log.with_name(f"{log.name}.old"))
    if large:
        process.send_signal(signal.SIGUSR1)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends nginx: it accepts no new request and gets a few seconds to finish the others."""
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        # A client that hangs must not keep the server running.
        process.terminate()
        process.wait()
