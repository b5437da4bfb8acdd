"""Runs TensorFlow Lite's own benchmark program, `benchmark_model`, and reads what it prints.

It is described in TensorFlow's tensorflow/lite/tools/benchmark/README.md. Its output is meant for
people and differs between versions. Everything that is read here is there since 2.4.
"""

import dataclasses
import re
import subprocess
from collections.abc import Sequence

from reproducible_tflite.benchmark.turns import Limits
from reproducible_tflite.benchmark.worker import Task
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import child

# Not "-nan", the standard deviation of some runs.
_NUMBER = r"([-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?)(?![\w.])"
_SUMMARY = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER},"
    rf" Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}"
)
# If all times are equal, the line is only "count=1 curr=16".
_RUNS = re.compile(r"\bcount=\d+ .*")
_FIELD = re.compile(rf"(\w+)={_NUMBER}")
_MEMORY = re.compile(rf"[Mm]emory footprint.*\(MB\): init={_NUMBER} overall={_NUMBER}")
_PROFILE = "Operator-wise Profiling Info for Regular Benchmark Runs"
# Fields are separated by tabs, in later versions by at least two spaces.
_FIELDS = re.compile(r"\s*\t\s*|\s{2,}")
# For loading a model on a slow machine; the program's own limit, max_secs, begins after that.
_GRACE_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class Operator:
    """A row of a profile.

    Attributes:
      name: the operator's name, or that of an operator inside a delegate.
      where: the tensor that it writes, or benchmark_model's name for the node; may be empty.
      seconds: its time in a run.
    """

    name: str
    where: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Result:
    """The program's figures, in seconds and bytes.

    Attributes:
      loaded: creating the interpreter and preparing the graph.
      first: the first run.
      mean: the average of the timed runs.
      minimum: the fastest run.
      maximum: the slowest run.
      runs: how many were timed.
      memory: its memory beyond what it had at the start; None if it does not print it.
      operators: its profile; empty without one.
    """

    loaded: float
    first: float
    mean: float
    minimum: float
    maximum: float
    runs: int
    memory: int | None
    operators: tuple[Operator, ...]


def arguments(graph: str, task: Task, limits: Limits) -> list[str]:
    """Returns the program's flags."""
    return [
        f"--graph={graph}",
        f"--num_threads={task.configuration.threads}",
        f"--use_xnnpack={str(task.configuration.xnnpack).lower()}",
        f"--num_runs={limits.runs}",
        f"--min_secs={limits.seconds:g}",
        f"--max_secs={limits.maximum:g}",
        f"--warmup_runs={limits.warmup}",
        f"--enable_op_profiling={str(task.profile).lower()}",
    ]


def _profile(lines: Sequence[str]) -> tuple[Operator, ...]:
    """Returns the rows of the table "Run Order", which follows the profile's headline."""
    columns: list[str] = []
    operators = []
    for line in lines:
        fields = line.strip()
        if not columns:
            if fields.startswith("[node type]"):
                columns = re.findall(r"\[([^\]]+)\]", fields)
            continue
        # The last column is a name, which may contain separators.
        cells = _FIELDS.split(fields, maxsplit=len(columns) - 1)
        if len(cells) != len(columns):
            break
        row = dict(zip(columns, cells, strict=True))
        try:
            seconds = float(row["avg ms"]) / 1e3
        except (KeyError, ValueError):
            break
        operators.append(Operator(row["node type"], row.get("Name", ""), seconds))
    return tuple(operators)


def parse(output: str, source: str) -> Result:
    """Reads what the program printed.

    Raises:
      cli.UserError: it contains no timings.
    """
    summary, memory = _SUMMARY.search(output), _MEMORY.search(output)
    # The line of the warm-up comes before that of the runs. A profile has such lines after them.
    counts = _RUNS.findall(output[: summary.start()]) if summary else []
    if not counts:
        raise cli.UserError(
            f"{source}: benchmark_model printed no timings; its last line is: {last_line(output)}."
        )
    runs = {name: float(value) for name, value in _FIELD.findall(counts[-1])}
    _, headline, after = output.partition(_PROFILE)
    microseconds = [float(value) / 1e6 for value in summary.group(1, 2, 4)]
    return Result(
        loaded=microseconds[0],
        first=microseconds[1],
        mean=microseconds[2],
        minimum=runs["min"] / 1e6 if "min" in runs else microseconds[2],
        maximum=runs["max"] / 1e6 if "max" in runs else microseconds[2],
        runs=int(runs["count"]),
        # The program's MB are MiB.
        memory=round(float(memory[2]) * (1 << 20)) if memory else None,
        operators=_profile(after.splitlines()) if headline else (),
    )


def last_line(output: str) -> str:
    """Returns the last line that is not blank, without its full stop, or "nothing"."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "nothing"


class LocalProgram:
    """Runs the program on this machine."""

    place = "this machine"

    def __init__(self, binary: str) -> None:
        self._binary = binary

    def run(self, task: Task, limits: Limits) -> str:
        """Runs the program on a model and returns what it printed.

        Raises:
          cli.UserError: it cannot be started, fails, or does not end in time.
        """
        command = [self._binary, *arguments(task.path, task, limits)]
        return call(command, str(task), limits.maximum + _GRACE_SECONDS)

    def close(self) -> None:
        """Does nothing: there is nothing to clean up."""


def run(command: Sequence[str], limit: float, late: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; `stdout` of the result contains both streams.

    Args:
      command: the program and its arguments.
      limit: the seconds that it may take.
      late: the error message if it takes longer.

    Raises:
      cli.UserError: it cannot be started, or does not end in time.
    """
    try:
        return subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=limit,
        )
    except OSError as error:
        raise cli.UserError(f"{command[0]}: cannot be started: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise cli.UserError(late) from error


def call(command: Sequence[str], source: str, limit: float) -> str:
    """Runs benchmark_model and returns what it printed, both streams together.

    Raises:
      cli.UserError: it cannot be started, fails, or does not end in time.
    """
    result = run(command, limit, f"{source}: has not ended after {limit:.0f} seconds.")
    if result.returncode:
        raise cli.UserError(
            f"{source}: benchmark_model {child.how_it_ended(result.returncode)}; its last line is:"
            f" {last_line(result.stdout)}."
        )
    return result.stdout
