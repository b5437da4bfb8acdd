"""Starts libFuzzer on a target, with seeds, and with limits of memory and time for each input.

Usage: bazel run //tests/fuzz:TARGET -- [-max_total_time=SECONDS] [-runs=COUNT] [CORPUS_FOLDER]

The arguments go to libFuzzer (https://llvm.org/docs/LibFuzzer.html#options). Inputs on which the
target fails are written to the folder in which the program is called.
"""

import hashlib
import os
import pathlib
import resource
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence

import atheris

with atheris.instrument_imports(include=["reproducible_tflite"]):
    from reproducible_tflite.lib.tflite_file import reader
    from tests.fuzz import mutation, seeds, targets

# Bytes of address space. libFuzzer's own limit applies to resident memory and is checked once a
# second, which is too late for a single large allocation.
_ADDRESS_SPACE = 4 << 30
_DEFAULTS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=8192", "-print_final_stats=1")


def _folder() -> str:
    """Returns the folder for failing inputs: a test's outputs, or the caller's folder."""
    variables = ("TEST_UNDECLARED_OUTPUTS_DIR", "TEST_TMPDIR", "BUILD_WORKING_DIRECTORY")
    return next((os.environ[name] for name in variables if name in os.environ), ".")


def _mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Mutates the file's contents for odd seeds, and its bytes otherwise."""
    mutated = mutation.changed(data, seed) if seed % 2 else None
    return atheris.Mutate(data, max_size) if mutated is None or len(mutated) > max_size else mutated


def _keeping(target: str) -> Callable[[bytes], None]:
    """Returns the target; it writes inputs on which it fails, as libFuzzer does for crashes."""

    def run(data: bytes) -> None:
        try:
            getattr(targets, target)(data)
        except Exception:
            name = f"{target}-crash-{hashlib.sha1(data).hexdigest()}"
            path = pathlib.Path(_folder(), name).absolute()
            path.write_bytes(data)
            print(f"The input is in {path}.", file=sys.stderr)
            raise

    return run


def _fuzz(target: str, options: Sequence[str], folder: str) -> None:
    """Runs libFuzzer, which ends the process."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    artifacts = f"-artifact_prefix={_folder()}/{target}-"
    # libFuzzer uses the last of equal flags, and writes new inputs into the first folder.
    arguments = [sys.argv[0], *_DEFAULTS, artifacts, *options, folder]
    # A FlexBuffer is dense enough for libFuzzer's own mutations.
    mutator = {} if seeds.is_flexbuffer(target) else {"custom_mutator": _mutate}
    atheris.Setup(arguments, _keeping(target), **mutator)
    atheris.Fuzz()


def _is_instrumented(function: Callable) -> bool:
    """Returns whether libFuzzer learns what a function executes: Atheris marks such a function."""
    return "__ATHERIS_INSTRUMENTED__" in function.__code__.co_consts


def _run(target: str, options: Sequence[str]) -> None:
    """Fuzzes the function with that name in `targets`; exits with libFuzzer's exit code."""
    if not _is_instrumented(reader.read):
        # libFuzzer would take every seed for uninteresting and drop it.
        sys.exit("ERROR: the readers are not instrumented; name their package in this module.")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in seeds.of(target).items():
            pathlib.Path(folder, name).write_bytes(content)
        # In a child process, which may end in any way without leaving the folder behind.
        process = os.fork()
        if process == 0:
            try:
                _fuzz(target, options, folder)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        _, status = os.waitpid(process, 0)
    sys.exit(os.waitstatus_to_exitcode(status) % 256)


def main() -> None:
    """Runs the target of the build's `--target=NAME`; other arguments are libFuzzer's."""
    flag, *arguments = sys.argv[1:]
    _run(flag.removeprefix("--target="), arguments)


if __name__ == "__main__":
    main()
