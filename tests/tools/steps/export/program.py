"""Runs a command line program of the project in its own process."""

import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from unittest import mock

_ROOT = pathlib.Path(__file__).parents[4]


def fork(modules: Sequence[str], path: str, **flags: object) -> subprocess.CompletedProcess[str]:
    """Runs a program as `run` does, in a copy of a process that has imported modules already.

    For programs that are started again and again, and take longer to import than to run.

    Args:
      modules: what is imported once, by a process that does nothing else.
      path: as for `run`.
      **flags: as for `run`.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    # The fork server's socket is in the temporary folder, and its path may have at most 107 bytes.
    with tempfile.TemporaryDirectory() as folder, mock.patch("tempfile.tempdir", "/tmp"):
        streams = [os.path.join(folder, name) for name in ("stdout", "stderr")]
        argv = [str(_ROOT / path), *_arguments(flags)]
        process = context.Process(target=_main, args=(argv, streams))
        process.start()
        process.join()
        outputs = [pathlib.Path(stream).read_text(encoding="utf-8") for stream in streams]
    return subprocess.CompletedProcess(argv, process.exitcode, *outputs)


def _main(argv: Sequence[str], streams: Sequence[str]) -> None:
    for descriptor, stream in enumerate(streams, start=1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = list(argv)
    runpy.run_path(argv[0], run_name="__main__")


def _arguments(flags: dict[str, object]) -> list[str]:
    """Returns absl flags; a list gives one flag per element, None gives none."""
    return [
        f"--{name}={element}"
        for name, value in flags.items()
        for element in (value if isinstance(value, list) else [value])
        if element is not None
    ]


def start(path: str, *positional: object, **flags: object) -> subprocess.Popen[str]:
    """Starts a program as `run` does, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, str(_ROOT / path), *_arguments(flags), *map(str, positional)],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(path: str, *positional: object, **flags: object) -> subprocess.CompletedProcess[str]:
    """Runs the program at `path` from the workspace's root with the interpreter of the test.

    Args:
      path: the program's source file, as in "tools/steps/export/export_ssd.py".
      *positional: what follows the flags.
      **flags: absl flags; a list gives one flag per element, None gives none.
    """
    with start(path, *positional, **flags) as process:
        outputs = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, *outputs)
