"""Converts a frozen graph with the TOCO of a TensorFlow that needs another CPython.

Its flags, checks and reports of failures are those of `toco`. Only the conversion itself runs on
the other CPython, which is in the runfiles.
"""

import functools
import json
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.runfiles import runfiles
from reproducible_tflite.steps.convert import frozen_graph, toco, toco_call

_RUNTIME = runfiles.repository("cpython_3_7") / "runtime"
_TENSORFLOW = runfiles.repository("tensorflow_1_15_5") / "site"


def _command() -> list[pathlib.Path | str]:
    """Returns the command of the CPython's launcher, a script, for actions without a shell."""
    loader = [_RUNTIME / "lib" / "ld-linux-x86-64.so.2", "--inhibit-cache", "--library-path"]
    return [*loader, _RUNTIME / "lib", _RUNTIME / "bin" / "python3.7", "-s", "-S", "-B"]


def convert(settings: Mapping[str, Any]) -> bytes:
    """Runs `toco_call.convert` in a child process on the other CPython.

    If the child fails, it has printed the reason; this process then ends in the same way.

    Args:
      settings: see `toco_call.convert`.

    Returns:
      The .tflite.
    """
    with tempfile.TemporaryDirectory(prefix="toco-") as directory:
        arguments, output = pathlib.Path(directory, "settings"), pathlib.Path(directory, "model")
        arguments.write_text(json.dumps(settings), encoding="utf-8")
        result = subprocess.run(
            [*_command(), toco_call.__file__, arguments, output],
            # The other variables come from this program's launcher.
            env=os.environ | {"PYTHONHOME": str(_RUNTIME), "PYTHONPATH": str(_TENSORFLOW)},
            check=False,
        )
        if result.returncode == 0:
            return output.read_bytes()
    if result.returncode < 0:
        os.kill(os.getpid(), -result.returncode)
    os._exit(1)


if __name__ == "__main__":
    flags.mark_flags_as_required(frozen_graph.REQUIRED_FLAGS)
    cli.run(functools.partial(toco.main, convert=convert))
