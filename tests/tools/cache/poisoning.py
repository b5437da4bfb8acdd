"""Poisons a cache and checks that `verify` names the poisoned entry and no other.

    bazel run //tests/tools/cache:poisoning

It runs builds, so it cannot be a test in a sandbox. `verify` gets the arguments after `--`, for
example `-- -- --bazel=bazel`.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import hashlib
import os
import pathlib
import re
import subprocess
import tempfile
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.bazel import client, execution_log
from reproducible_tflite.lib.cli import cli

_VERIFY = flags.DEFINE_string("verify", None, "The program; the BUILD file names it.")

_PACKAGE = "tests/tools/cache/poisoned"
_TARGETS = [f"//{_PACKAGE}:{name}" for name in ("after_poisoned", "evicted", "sound")]
# Both have the same length, so that the length in the entry stays right.
_OPERATOR, _OTHER = b"TFLite_Detection_PostProcess", b"TFLite_Detection_PostPoisons"


class DiskCache:
    """The folder of --disk_cache."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def blob(self, digest: str) -> pathlib.Path:
        return Directory(self.folder).path("cas", digest)

    def poison(self, digest: str) -> None:
        """Makes every result that names a blob name another, intact blob instead."""
        content = self.blob(digest).read_bytes().replace(_OPERATOR, _OTHER)
        other = hashlib.sha256(content).hexdigest()
        if other == digest:
            raise cli.UserError(f"{digest}: has nothing that could be poisoned.")
        self.blob(other).parent.mkdir(parents=True, exist_ok=True)
        self.blob(other).write_bytes(content)
        for entry in self.folder.glob("ac/*/*"):
            result = entry.read_bytes()
            entry.write_bytes(result.replace(digest.encode(), other.encode()))

    def state(self) -> dict[str, str]:
        """Returns the digest of every file of the cache."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


def _fill(base: pathlib.Path, cache: DiskCache, log: pathlib.Path) -> dict[str, str]:
    """Fills a cache with a build; returns the digest of every model by name."""
    command = [f"--output_base={base}", "build", "--noshow_progress", "--symlink_prefix=/"]
    command += [f"--disk_cache={cache.folder}", f"--execution_log_compact_file={log}", *_TARGETS]
    if client.call(command).returncode:
        raise cli.UserError("the cache cannot be filled; Bazel's own words are above.")
    return {
        pathlib.Path(path).stem: digest
        for action in execution_log.read(str(log)).values()
        for path, digest in action.digests.items()
        if path.endswith(".tflite")
    }


def complaints(code: int, output: str, wrong: Sequence[str]) -> list[str]:
    """Returns what is wrong with the result of `verify`, which must accuse the `wrong` targets."""
    mistakes = []
    if code != (1 if wrong else 0):
        mistakes.append(f"the exit code is {code}")
    accused = re.findall(rf"^(?:WRONG|VARIES) .* of //{_PACKAGE}:(\w+):", output, re.MULTILINE)
    mistakes += [f"{name} is not accused" for name in wrong if name not in accused]
    mistakes += [f"{name} is accused" for name in accused if name not in wrong]
    for name in wrong:
        for pattern in (
            rf"^ +\S*/{name}\.tflite: ",
            # The cache's operator comes first.
            rf"{_OTHER.decode()} \| {_OPERATOR.decode()}",
            r"from byte \d+: ",
            rf"cannot be trusted: Genrule of //{_PACKAGE}:{name}\.$",
        ):
            if not re.search(pattern, output, re.MULTILINE):
                mistakes.append(f"{name}: there is no line like {pattern}")
    return mistakes


def main(argv: Sequence[str]) -> None:
    if not _VERIFY.value:
        raise cli.UserError("--verify is missing; start this program with `bazel run`.")
    program = os.path.abspath(_VERIFY.value)
    with tempfile.TemporaryDirectory(prefix="poisoning-") as temporary:
        folder = pathlib.Path(temporary)
        cache = DiskCache(folder / "cache")
        directory = folder / "verify"
        command = [program, "--sample=100", "--seed=1", f"--directory={directory}"]
        command += [f"--bazel_flag=--disk_cache={cache.folder}", *argv[1:], "--", *_TARGETS]

        def watch() -> tuple[int, str]:
            result = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
            )
            print(result.stdout, end="", flush=True)
            return result.returncode, result.stdout

        try:
            digests = _fill(directory / "output_base", cache, folder / "execution_log.zst")
            mistakes = [f"sound: {line}" for line in complaints(*watch(), [])]
            cache.poison(digests["poisoned"])
            cache.blob(digests["evicted"]).unlink()
            state = cache.state()
            mistakes += [f"poisoned: {line}" for line in complaints(*watch(), ["poisoned"])]
            if cache.state() != state:
                mistakes.append("`verify` changed the cache")
        finally:
            client.call([f"--output_base={directory / 'output_base'}", "shutdown"])
            client.remove(directory)
    for line in mistakes:
        print(line)
    if mistakes:
        raise cli.UserError(f"`verify` made {len(mistakes)} mistake(s); they are above.")
    print("The poisoned entry was found and named; sound and evicted ones were not accused.")


if __name__ == "__main__":
    cli.run(main, positional=None)
