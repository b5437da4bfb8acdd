"""Converts a source under one TensorFlow with one set of settings, and compares the result."""

import ctypes
import dataclasses
import hashlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from reproducible_tflite.lib.bazel import client
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import child
from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.meaning.comparison import Comparison
from reproducible_tflite.lib.tflite_file.mapped import Content

# Changes when the same settings give another file, so that older states are not used.
_FORMAT = 2
_FAILED = "no file"
# prctl(2)
_PR_SET_PDEATHSIG = 1


@dataclasses.dataclass(frozen=True)
class Trial:
    """A conversion to try.

    Attributes:
      tensorflow: the version.
      settings: what differs from `DEFAULTS` of plain_conversion's convert.py, without the source.
      fold_as: how its batch norms are folded, a name of `folds.FOLDS`; "" as on this machine.
    """

    tensorflow: str
    settings: Mapping[str, Any]
    fold_as: str = ""

    @property
    def words(self) -> str:
        """Its settings in words, without names of arrays."""
        words = [
            f"{name} {_short(value)}"
            for name, value in self.settings.items()
            if name not in ("input_arrays", "output_arrays")
        ]
        return ", ".join(words) + (f"; folded as {self.fold_as}" if self.fold_as else "")

    def __str__(self) -> str:
        return f"TensorFlow {self.tensorflow}: {self.words}"


def _short(value: Any) -> str:
    """Returns a setting's value in words; of a map by input, only the values."""
    if isinstance(value, Mapping):
        return " ".join(map(_short, value.values()))
    if isinstance(value, list):
        return "/".join("?" if item is None else _short(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return (
        "default" if value is None else str(value).lower() if value in (True, False) else str(value)
    )


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a trial.

    Attributes:
      trial: the trial.
      comparison: the published file against the converted one; None if there is none.
      error: why not.
    """

    trial: Trial
    comparison: Comparison | None
    error: str = ""

    @property
    def verdict(self) -> str:
        """One of `comparison.VERDICTS`, or "no file"."""
        return self.comparison.verdict if self.comparison else _FAILED

    @property
    def left(self) -> tuple[int, int]:
        """How many differences are left: those that change the meaning, and the others."""
        if not self.comparison:
            return 0, 0
        changing = sum(row.changes_meaning for row in self.comparison.differences)
        return changing, len(self.comparison.differences) - changing

    @property
    def rank(self) -> tuple[int, int, int]:
        """Sorts results; the best is the smallest."""
        if not self.comparison:
            return len(comparison.VERDICTS), 0, 0
        return (comparison.VERDICTS.index(self.comparison.verdict), *self.left)

    def __str__(self) -> str:
        if not self.comparison:
            return f"{_FAILED}: {self.error}"
        changing, harmless = self.left
        return f"{self.verdict}, {changing} differences in meaning, {harmless} others"


def _prepare_process() -> None:
    """Ends with this program, and takes no more memory than there is."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The file of the kernel is there wherever the project runs.
    limit = child.available_bytes(pathlib.Path("/proc/meminfo").read_text(encoding="utf-8"))
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _reason(log: str, code: int) -> str:
    """Returns the line of a failed conversion's log that says why."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if not lines:
        return f"TensorFlow's process {child.how_it_ended(code)} and said nothing"
    errors = [line for line in lines if "Error:" in line or "error:" in line]
    return (errors or lines)[-1][:300]


def run_converter(
    program: str, settings: Mapping[str, Any], output: str, seconds: float
) -> str | None:
    """Runs a TensorFlow's converter in a process of its own.

    Args:
      program: the executable `convert_VERSION`.
      settings: all settings that differ from the defaults, the source among them.
      output: the .tflite to write.
      seconds: how long it may take.

    Returns:
      Why it failed; None if it wrote the file.

    Raises:
      TimeoutError: it took longer.
    """
    with tempfile.TemporaryDirectory(prefix="recover-") as folder:
        path, log = pathlib.Path(folder, "settings.json"), pathlib.Path(folder, "log")
        path.write_text(json.dumps(settings), encoding="utf-8")
        with open(log, "wb") as stream:
            process = subprocess.Popen(
                [program, str(path), output],
                env={**client.environment(), "TMPDIR": folder},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                preexec_fn=_prepare_process,
            )
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired as error:
                raise TimeoutError(f"it was stopped after {seconds:.0f} seconds") from error
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if code or not os.path.exists(output):
            return _reason(log.read_text(encoding="utf-8", errors="replace"), code)
    return None


class Laboratory:
    """Runs trials, each once, and keeps what they gave in a folder."""

    def __init__(
        self,
        published: Content,
        names: tuple[str, str],
        source_sha256: str,
        state: pathlib.Path,
        convert: Callable[[Trial, str, float], str | None],
    ) -> None:
        """Makes a laboratory.

        Args:
          published: the published file.
          names: those of the file and of the source, for messages.
          source_sha256: the source's digest.
          state: the folder for finished trials.
          convert: converts by a trial into a file within seconds; returns why it failed, or None.
        """
        self._published = published
        self._names = names
        self._state = state
        self._convert = convert
        digests = [_FORMAT, hashlib.sha256(published).hexdigest(), source_sha256]
        self._start = json.dumps(digests)
        self.results: dict[str, Result] = {}

    def _key(self, trial: Trial) -> str:
        text = json.dumps([trial.tensorflow, trial.settings], sort_keys=True)
        return hashlib.sha256((self._start + text).encode()).hexdigest()

    def knows(self, trial: Trial) -> bool:
        """Returns whether a trial was run before, now or by an earlier call."""
        key = self._key(trial)
        return key in self.results or any(
            (self._state / f"{key}{ending}").exists() for ending in (".tflite", ".error")
        )

    def file(self, result: Result) -> pathlib.Path:
        """Returns the converted file of a result."""
        return self._state / f"{self._key(result.trial)}.tflite"

    def run(self, trial: Trial, seconds: float) -> Result:
        """Returns what comes of a trial, from the state if it is there.

        Raises:
          cli.UserError: the state cannot be written.
        """
        key = self._key(trial)
        if key not in self.results:
            self.results[key] = self._run(trial, key, seconds)
        return self.results[key]

    def _run(self, trial: Trial, key: str, seconds: float) -> Result:
        model, failed = self._state / f"{key}.tflite", self._state / f"{key}.error"
        if failed.exists():
            return Result(trial, None, failed.read_text(encoding="utf-8"))
        if not model.exists():
            partial = self._state / f"{key}.partial"
            try:
                error = self._convert(trial, str(partial), seconds)
            except TimeoutError as stopped:
                # With more time it may succeed, so the state does not keep it.
                partial.unlink(missing_ok=True)
                return Result(trial, None, str(stopped))
            if error is not None:
                partial.unlink(missing_ok=True)
                with cli.output_file(str(failed), "w") as stream:
                    stream.write(error)
                return Result(trial, None, error)
            os.replace(partial, model)
        return self.compared(trial, cli.read_file(str(model), "converted file"))

    def compared(self, trial: Trial, converted: Content) -> Result:
        """Returns what comes of a trial that gave a file."""
        try:
            return Result(trial, comparison.compare(self._published, converted, *self._names))
        except cli.UserError as error:
            return Result(trial, None, cli.first_line(error))
