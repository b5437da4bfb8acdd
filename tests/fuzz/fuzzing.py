"""Starts libFuzzer on one target, with seeds, a limit of memory and a limit of time for each input.

Usage: bazel run //tests/fuzz:TARGET -- [-max_total_time=SECONDS] [-runs=COUNT] [CORPUS_FOLDER]

What is given goes to libFuzzer (https://llvm.org/docs/LibFuzzer.html#options). An input on which
the target fails is written to the folder in which the program was called.
"""

import os
import pathlib
import resource
import sys
import tempfile
import traceback
from collections.abc import Sequence

import atheris

with atheris.instrument_imports(include=["tools"]):
    from tests.fuzz import mutation, seeds, targets

# Bytes of address space; libFuzzer's own limit counts resident memory and is looked at once a
# second, which a single allocation outruns.
_ADDRESS_SPACE = 4 << 30
_DEFAULTS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=8192", "-print_final_stats=1")


def _folder() -> str:
    """Where a failing input goes: a test's outputs, or where a person stood."""
    variables = ("TEST_UNDECLARED_OUTPUTS_DIR", "TEST_TMPDIR", "BUILD_WORKING_DIRECTORY")
    return next((os.environ[name] for name in variables if name in os.environ), ".")


def _mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Every other time changes what the file says, else its bytes."""
    made = mutation.changed(data, seed) if seed % 2 else None
    return atheris.Mutate(data, max_size) if made is None or len(made) > max_size else made


def _fuzz(target: str, given: Sequence[str], folder: str) -> None:
    """Does not return: libFuzzer ends the process."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    artifacts = f"-artifact_prefix={_folder()}/{target}-"
    # libFuzzer takes the last of equal flags, and writes what it finds into the first folder.
    arguments = [sys.argv[0], *_DEFAULTS, artifacts, *given, folder]
    # A FlexBuffer is dense enough for libFuzzer's own changes.
    mutator = {} if seeds.is_flexbuffer(target) else {"custom_mutator": _mutate}
    atheris.Setup(arguments, getattr(targets, target), **mutator)
    atheris.Fuzz()


def _run(target: str, given: Sequence[str]) -> None:
    """Fuzzes the function of that name in `targets`; exits as libFuzzer does."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in seeds.of(target).items():
            pathlib.Path(folder, name).write_bytes(content)
        # In a process of its own, which can be ended in any way and leaves no folder behind.
        process = os.fork()
        if process == 0:
            try:
                _fuzz(target, given, folder)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        _, status = os.waitpid(process, 0)
    sys.exit(os.waitstatus_to_exitcode(status) % 256)


def main() -> None:
    """The build says `--target=NAME`; all else is libFuzzer's."""
    flag, *arguments = sys.argv[1:]
    _run(flag.removeprefix("--target="), arguments)


if __name__ == "__main__":
    main()
