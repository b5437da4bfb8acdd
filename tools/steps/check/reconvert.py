"""Converts a model again in a hostile environment and compares the files.

`NAME.reproducibility_test` runs it.
"""

import hashlib
import os
import pathlib
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file.schema import tflite

_CONVERTER = flags.DEFINE_string("converter", None, "The program that converts.")
_CANONICALIZE = flags.DEFINE_string(
    "canonicalize", None, "The program that writes the canonical form."
)
_INPUTS = flags.DEFINE_multi_string(
    "input", [], "A file that the converter reads, and before it the flag that takes it: FLAG=PATH."
)
_MODEL = flags.DEFINE_string("model", None, "The model that was built.")


def hostile_environment(directory: pathlib.Path) -> dict[str, str]:
    """Returns environment variables that affect a program unless it ignores them.

    Args:
      directory: an empty folder, which gets modules that cannot be imported.
    """
    for module in ("numpy", "absl", "tensorflow"):
        (directory / f"{module}.py").write_text("raise ImportError('from PYTHONPATH')\n")
    return {
        "HOME": str(directory),
        "KERAS_HOME": str(directory),
        "LANG": "tr_TR.UTF-8",
        "LD_LIBRARY_PATH": "/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu",
        "OMP_NUM_THREADS": "1",
        "PATH": "/usr/bin:/bin",
        "PYTHONHASHSEED": "271828",
        "PYTHONHOME": str(directory),
        "PYTHONPATH": str(directory),
        "PYTHONSTARTUP": str(directory / "numpy.py"),
        # Outside of a test, the launcher restricts a program to its working directory; these
        # programs read files elsewhere.
        "TEST_SRCDIR": os.environ.get("TEST_SRCDIR", ""),
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "TMPDIR": str(directory),
        "TZ": "Asia/Kathmandu",
    }


def _idle_ticks() -> dict[int, int]:
    """Returns how long each processor has been idle, in clock ticks (proc(5), /proc/stat)."""
    rows = [line.split() for line in pathlib.Path("/proc/stat").read_text().splitlines()]
    return {int(row[0][3:]): int(row[4]) for row in rows if re.fullmatch(r"cpu\d+", row[0])}


def idlest_processor() -> int:
    """Returns the allowed processor that was idle longest in the last half second.

    Of equal ones it is any. If every test took the first, those that run at once would share it.
    """
    before = _idle_ticks()
    time.sleep(0.5)
    after = _idle_ticks()

    def idle(number: int) -> tuple[int, float]:
        # In some containers /proc/stat has other numbers.
        return after.get(number, 0) - before.get(number, 0), random.random()

    return max(os.sched_getaffinity(0), key=idle)


def _run(command: Sequence[str], directory: pathlib.Path) -> None:
    environment = hostile_environment(directory)
    subprocess.run(command, check=True, cwd=directory, env=environment, umask=0o077)


def description(model: bytes) -> str:
    """Returns a .tflite's description."""
    return (tflite.Model.GetRootAsModel(model, 0).Description() or b"").decode("utf-8")


def main(argv: Sequence[str]) -> None:
    del argv
    expected = cli.read_file(_MODEL.value, "model")
    # The programs see this processor alone.
    os.sched_setaffinity(0, {idlest_processor()})
    # They run in another folder.
    named = [given.partition("=")[::2] for given in _INPUTS.value]
    inputs = [f"--{flag}={os.path.abspath(path)}" for flag, path in named]
    with tempfile.TemporaryDirectory(prefix="a-longer-name-") as name:
        directory = pathlib.Path(name)
        raw, canonical = directory / "raw.tflite", directory / "canonical.tflite"
        _run([os.path.abspath(_CONVERTER.value), *inputs, f"--output_file={raw}"], directory)
        _run(
            [
                os.path.abspath(_CANONICALIZE.value),
                f"--input={raw}",
                f"--output={canonical}",
                f"--description={description(expected)}",
            ],
            directory,
        )
        converted = canonical.read_bytes()
    digests = [hashlib.sha256(content).hexdigest() for content in (expected, converted)]
    cli.say(f"built     {digests[0]}\nconverted {digests[1]}")
    if digests[0] != digests[1]:
        raise cli.UserError(
            f"{_MODEL.value}: a second conversion gives another file ({len(expected)} and "
            f"{len(converted)} bytes); its bytes depend on something other than declared inputs."
        )


if __name__ == "__main__":
    flags.mark_flags_as_required(["canonicalize", "converter", "model"])
    cli.run(main)
