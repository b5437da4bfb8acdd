"""Runs one action again in the plain round's execution root, with one thing changed at a time."""

import contextlib
import ctypes
import dataclasses
import hashlib
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator

from reproducible_tflite.audit.surroundings import Inside
from reproducible_tflite.lib.bazel import client, findings
from reproducible_tflite.lib.bazel.execution_log import Action

# Where the launcher's own commands for actions begin, and where it starts Python.
FIRST, LAST = "# In the sandbox of an action", "exec /usr/bin/env -i"
_ADDR_NO_RANDOMIZE = 0x0040000
# Seconds since 1970; libfaketime stops the clock at a time without a sign.
_FROZEN = "1900000000"
_SECONDS = 1800
_RUNS = 3

RUN_TO_RUN = "it differs by itself, run to run"


class CannotRun(Exception):
    """The action cannot be run here; the text says why."""


@dataclasses.dataclass(frozen=True)
class Variation:
    """A single change to an action's surroundings.

    Attributes:
      what: what is changed, such as "the clock".
      inside: the changes inside the action's Python.
      folder: the beginning of the working directory's name.
      parent: the folder of the working directory; None for the audit's own folder.
      umask: the file mode creation mask.
      processors: how many processors the action may use; None for all.
      hidden_names: whether user and host name are Bazel's fake ones.
      fixed_addresses: whether the memory layout is the same in every run.
    """

    what: str
    inside: Inside = Inside()
    folder: str = "a"
    parent: str | None = None
    umask: int = 0o022
    processors: int | None = None
    hidden_names: bool = True
    fixed_addresses: bool = False


PLAIN = Variation("nothing")
# If an action varies from run to run, a change that makes its runs equal names the cause.
STEADYING = (
    Variation("the clock", Inside(clock=_FROZEN)),
    Variation("the addresses of memory", fixed_addresses=True),
    Variation("the number of processors", processors=1),
)
# If an action's runs are equal, a change that alters its outputs is the cause.
CHANGING = (
    Variation("the clock", Inside(clock="+400d")),
    Variation("the hash seed", Inside(hash_seed=271828)),
    Variation("the working directory's path", folder="another-much-longer-name-"),
    Variation("the order of files in a folder", parent="/dev/shm"),
    Variation("the umask", umask=0o077),
    Variation("the number of processors", processors=1),
    Variation("the user's or the host's name", hidden_names=False),
)


@dataclasses.dataclass(frozen=True)
class Tried:
    """A variation and its result: "other bytes", "same bytes", or why it was not run."""

    what: str
    result: str


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """The result of rerunning an action.

    Attributes:
      cause: the cause as a part of a sentence, such as "the clock"; "" if it was not found.
      tried: every variation with its result.
    """

    cause: str
    tried: tuple[Tried, ...]


def diagnose(
    run: Callable[[Variation], str], cpu_model: str | None, pause: Callable[[], None]
) -> Diagnosis:
    """Finds out what an action's outputs depend on.

    Args:
      run: runs the action under a variation and returns a digest of its outputs.
      cpu_model: an emulated processor to try as well; it takes about ten times as long.
      pause: waits for at least a second, so that a time in an output changes.
    """
    tried: list[Tried] = []

    def agree(variation: Variation) -> bool:
        """Returns whether several runs are equal; two alone could be equal by chance."""
        first = run(variation)
        for _ in range(_RUNS - 1):
            pause()
            if run(variation) != first:
                return False
        return True

    def attempt(variation: Variation, expected: str | None = None) -> bool | None:
        """Returns whether a run differs from `expected`, or, without that, runs from each other."""
        try:
            changed = not agree(variation) if expected is None else run(variation) != expected
        except CannotRun as error:
            tried.append(Tried(variation.what, f"not run: {error}"))
            return None
        tried.append(Tried(variation.what, "other bytes" if changed else "same bytes"))
        return changed

    try:
        steady = agree(PLAIN)
        plain = run(PLAIN) if steady else ""
    except CannotRun as error:
        return Diagnosis("", (Tried(PLAIN.what, f"not run: {error}"),))
    tried.append(Tried(PLAIN.what, "same bytes" if steady else "other bytes"))
    if not steady:
        causes = [variation.what for variation in STEADYING if attempt(variation, None) is False]
        return Diagnosis(causes[0] if causes else RUN_TO_RUN, tuple(tried))
    causes = [variation.what for variation in CHANGING if attempt(variation, plain)]
    if cpu_model and not causes:
        emulated = Variation("the processor's model", Inside(cpu_model=cpu_model))
        causes = [emulated.what] if attempt(emulated, plain) else []
    return Diagnosis(" and ".join(causes), tuple(tried))


def outermost(paths: Iterable[str]) -> list[str]:
    """Returns the paths that are not below another one of them, each once, in order.

    A log lists the files of a folder one by one, while runfiles link to the folder.
    """
    known = dict.fromkeys(paths)
    return [
        path
        for path in known
        if not any(str(parent) in known for parent in pathlib.PurePosixPath(path).parents)
    ]


class Replay:
    """Reruns of one action.

    Args:
      action: the action from the plain round's log.
      execution_root: the execution root of the plain round.
      sandbox: the path of Bazel's linux-sandbox.
      helpers: the folder `audit` of a perturbed round's CPython; None if there is none.
      directory: the folder for working directories.
    """

    def __init__(
        self,
        action: Action,
        execution_root: pathlib.Path,
        sandbox: pathlib.Path,
        helpers: pathlib.Path | None,
        directory: pathlib.Path,
    ) -> None:
        self._action = action
        self._execution_root = execution_root
        self._sandbox = sandbox
        self._helpers = helpers
        self._directory = directory

    def run(self, variation: Variation) -> str:
        """Runs the action and returns a digest of all its outputs.

        Raises:
          CannotRun: the action cannot be run, or fails.
        """
        # The launcher recognizes an action's folder by this name.
        parent = pathlib.Path(variation.parent or self._directory, "audit", "linux-sandbox")
        try:
            parent.mkdir(parents=True, exist_ok=True)
            folder = pathlib.Path(tempfile.mkdtemp(prefix=variation.folder, dir=parent))
        except OSError as error:
            raise CannotRun(f"{parent}: {error.strerror}") from error
        try:
            root = folder / "execroot" / self._execution_root.name
            root.mkdir(parents=True)
            self._stage(root, variation.inside)
            self._execute(root, variation)
            return self._digest(root)
        finally:
            client.remove(folder)
            for empty in (parent, parent.parent):
                with contextlib.suppress(OSError):
                    empty.rmdir()

    def _stage(self, root: pathlib.Path, inside: Inside) -> None:
        perturbed = False
        inputs = outermost([*self._action.inputs, *self._runfiles()])
        if self._helpers:
            # A program in an action can read only what links lead to.
            (root / "audit").symlink_to(self._helpers)
        for path in inputs:
            source, place = self._execution_root / path, root / path
            if not source.exists():
                raise CannotRun(f"its input {path} is not in the execution root")
            place.parent.mkdir(parents=True, exist_ok=True)
            if inside.changes and findings.is_own(path):
                place.write_text(self._launcher(source.read_text(encoding="utf-8"), inside))
                place.chmod(0o755)
                perturbed = True
            else:
                place.symlink_to(os.path.realpath(source))
        if inside.changes and not perturbed:
            raise CannotRun("it does not start the packaged Python")
        for path in self._action.outputs:
            (root / path).parent.mkdir(parents=True, exist_ok=True)

    def _runfiles(self) -> Iterator[str]:
        """Yields the files in the runfiles folders of the action's programs."""
        for path in self._action.inputs:
            folder = self._execution_root / f"{path}.runfiles"
            for parent, folders, files in os.walk(folder):
                links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
                for name in files + links:
                    yield os.path.relpath(os.path.join(parent, name), self._execution_root)

    def _launcher(self, text: str, inside: Inside) -> str:
        if not self._helpers:
            raise CannotRun("the helper programs were not fetched")
        if text.count(FIRST) != 1 or text.count(LAST) != 1:
            raise CannotRun("the packaged Python's launcher is another one")
        text = text.replace(FIRST, f"audit='{self._helpers}'\n{inside.commands()}\n{FIRST}")
        return text.replace(LAST, f'set -- {inside.variables()} "$@"\n{LAST}')

    def _execute(self, root: pathlib.Path, variation: Variation) -> None:
        def enter() -> None:
            os.umask(variation.umask)
            if variation.processors:
                available = sorted(os.sched_getaffinity(0))
                os.sched_setaffinity(0, available[: variation.processors])
            if variation.fixed_addresses:
                ctypes.CDLL(None).personality(_ADDR_NO_RANDOMIZE)

        names = ["-H", "-U"] if variation.hidden_names else []
        command = [self._sandbox, "-W", root, "-w", root, "-w", "/tmp", "-N"]
        # libfaketime writes files there.
        command += ["-w" if variation.parent else "-e", "/dev/shm"]
        command += [*names, "-t", "15", "-T", str(_SECONDS), "--", *self._action.arguments]
        try:
            result = subprocess.run(
                [str(word) for word in command],
                check=False,
                cwd=root,
                env=self._action.environment,
                preexec_fn=enter,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
        except OSError as error:
            raise CannotRun(f"{self._sandbox}: {error.strerror}") from error
        if result.returncode:
            said = result.stderr.strip().splitlines()[-1:] or [f"exit code {result.returncode}"]
            raise CannotRun(f"it failed: {said[0]}")

    def _digest(self, root: pathlib.Path) -> str:
        total = hashlib.sha256()
        for path in sorted(self._action.digests):
            try:
                content = (root / path).read_bytes()
            except OSError as error:
                raise CannotRun(f"it did not make {path}") from error
            total.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
        return total.hexdigest()


def second() -> None:
    """Waits for a little over a second."""
    time.sleep(1.1)
