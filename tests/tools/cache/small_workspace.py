"""A workspace of a few genrules, built with the project's own .bazelrc."""

import hashlib
import os
import pathlib
import subprocess
from collections.abc import Mapping

from reproducible_tflite.lib.bazel import client
from reproducible_tflite.lib.bazel.outcome import Outcome, outcome

PARTS = 4
_LINES = 60_000
# One for each part, and one that joins them.
ACTIONS = PARTS + 1

_BUILD = """\
[genrule(
    name = "part%d" % number,
    srcs = ["seed.txt"],
    outs = ["part%d.bin" % number],
    cmd = "awk '{{for (i = 0; i < {lines}; i++) print $$0, %d, i}}' $< > $@" % number,
) for number in range({parts})]

genrule(
    name = "whole",
    srcs = ["part%d.bin" % number for number in range({parts})],
    outs = ["whole.bin"],
    cmd = "cat $(SRCS) > $@",
)
"""


def part(seed: str, number: int) -> bytes:
    """Returns the expected content of a part."""
    return "".join(f"{seed} {number} {line}\n" for line in range(_LINES)).encode()


def whole(seed: str) -> bytes:
    """Returns the expected content of all parts together: about 6 MB."""
    return b"".join(part(seed, number) for number in range(PARTS))


class Client:
    """A checkout of the workspace with its own Bazel server, output root and home."""

    def __init__(self, folder: pathlib.Path, name: str, bazelrc: pathlib.Path) -> None:
        self.workspace = folder / name
        self._started: list[subprocess.Popen[str]] = []
        self._home = folder / f"home-of-{name}"
        self._root = folder / f"root-of-{name}"
        for directory in (self.workspace / ".ci" / "log", self._home):
            directory.mkdir(parents=True)
        (self.workspace / "WORKSPACE").write_text('workspace(name = "small")\n')
        (self.workspace / "BUILD").write_text(_BUILD.format(lines=_LINES, parts=PARTS))
        (self.workspace / ".bazelrc").write_text(f"import {bazelrc}\n")
        # It imports this one.
        shared = "reproducible.bazelrc"
        (self.workspace / shared).symlink_to(bazelrc.with_name(shared))

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts Bazel."""
        process = subprocess.Popen(
            [
                *client.command(),
                f"--output_user_root={self._root}",
                # There are many servers, several at once; one that is left over must end by itself.
                "--host_jvm_args=-Xmx256m",
                "--host_jvm_args=-XX:+UseSerialGC",
                "--host_jvm_args=-XX:TieredStopAtLevel=1",
                "--max_idle_secs=120",
                *arguments,
            ],
            cwd=self.workspace,
            env={**client.environment(), "HOME": str(self._home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started = [each for each in self._started if each.poll() is None] + [process]
        return process

    def interrupt(self) -> None:
        """Ends what is still running, so that the next Bazel need not wait for it."""
        for process in self._started:
            end(process)

    def start(self, seed: str, *options: str) -> subprocess.Popen[str]:
        """Starts a build of everything from nothing."""
        if (self.workspace / "bazel-bin").exists():
            self.command("clean").communicate()
        return self.resume(seed, *options)

    def resume(self, seed: str, *options: str) -> subprocess.Popen[str]:
        """Starts an incremental build of everything."""
        (self.workspace / "seed.txt").write_text(f"{seed}\n")
        return self.command("build", "--noshow_progress", *options, "--", "//:whole")

    def build(self, seed: str, *options: str) -> Outcome:
        """Builds everything from nothing and waits for the end."""
        return finish(self.start(seed, *options))

    def digests(self) -> Mapping[str, str]:
        """Returns the sha256 of every output that exists in the checkout."""
        folder = self.workspace / "bazel-bin"
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.glob("*.bin")
        }

    def shut_down(self) -> None:
        """Ends the Bazel server and removes the checkout."""
        self.command("shutdown").communicate()
        client.remove(self._root)


def end(process: subprocess.Popen[str]) -> None:
    """Ends a Bazel client and thereby its build, if it is still running."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> Outcome:
    """Waits until Bazel ends.

    Raises:
      subprocess.TimeoutExpired: Bazel took too long and was ended.
    """
    try:
        log, _ = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        end(process)
        raise
    return outcome(process.returncode, log)


def expected(seed: str) -> Mapping[str, str]:
    """Returns the expected sha256 of every output."""
    contents = {f"part{number}.bin": part(seed, number) for number in range(PARTS)}
    contents["whole.bin"] = whole(seed)
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def unsound(cache: pathlib.Path) -> list[str]:
    """Returns the files of a cache whose content does not have the digest in their name."""
    return [
        path.name
        for path in sorted((cache / "cas").glob("*/*"))
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.name
    ]


def entries(cache: pathlib.Path) -> Mapping[str, int]:
    """Returns every entry of a cache with its inode, which a new upload changes."""
    return {
        os.path.join(*path.parts[-3:]): path.stat().st_ino
        for kind in ("ac", "cas")
        for path in (cache / kind).glob("*/*")
    }
