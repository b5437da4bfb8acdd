"""nginx as a remote cache over HTTP (https://bazel.build/remote/caching#nginx)."""

import ctypes
import os
import pathlib
import pwd
import signal
import subprocess
import time

import jinja2

from tools.cache import settings as settings_lib
from tools.cache import users as users_lib
from tools.cli import cli

_TEMPLATE = pathlib.Path(__file__).with_name("nginx.conf.tpl")
_PR_SET_PDEATHSIG = 1
_SECONDS_TO_START = 10.0


def configuration(
    settings: settings_lib.Settings, user: str | None = None, workers: int = 2
) -> str:
    """Returns nginx's configuration file.

    Args:
      settings: what a person chose, checked.
      user: whom the workers run as, where nginx is started by root.
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
        user=user,
        workers=workers,
        writers=settings.writers,
    )


def _owner(directory: pathlib.Path) -> str | None:
    """Whom a folder belongs to, if this is root, who alone can choose."""
    if os.getuid():
        return None
    return pwd.getpwuid(directory.stat().st_uid).pw_name


def prepare(settings: settings_lib.Settings) -> pathlib.Path:
    """Writes nginx's configuration and lists of passwords; returns the configuration's path."""
    server = settings.directory.server
    owner = _owner(settings.directory.root)
    workers = len(os.sched_getaffinity(0))
    for name, users in (
        ("readers", settings.users),
        ("writers", settings_lib.writers_of(settings.users)),
    ):
        path = server / name
        with cli.output_file(str(path), "w") as stream:
            stream.write(users_lib.htpasswd(users))
        path.chmod(0o600)
        if owner:
            # The workers read it, and they are not root.
            os.chown(path, settings.directory.root.stat().st_uid, -1)
    path = server / "nginx.conf"
    with cli.output_file(str(path), "w") as stream:
        stream.write(configuration(settings, owner, workers))
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
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        if process.poll() is not None:
            complaint = _first_complaint(output.read_text(encoding="utf-8", errors="replace"))
            raise cli.UserError(f"nginx does not start: {complaint}.")
        if settings_lib.listens(settings):
            return process
        if time.monotonic() > deadline:
            process.terminate()
            process.wait()
            raise cli.UserError(
                f"nginx does not listen on {settings.endpoint} after {_SECONDS_TO_START:.0f}"
                f" seconds; its words are in {output}."
            )
        time.sleep(0.02)
