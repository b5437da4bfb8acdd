"""TensorFlow Lite's own benchmark program, `benchmark_model`: its flags and what it prints.

It is described in tensorflow/lite/tools/benchmark/README.md of TensorFlow. What it prints is for
people and has changed with its versions; what is read here is in those from 2.4 on.
"""

import dataclasses
import re
import subprocess
from collections.abc import Callable, Sequence

from tools.benchmark.turns import Limits
from tools.benchmark.worker import Configuration, how_it_ended
from tools.lib.cli import cli

_NUMBER = r"([-+.\de]+)"
_SUMMARY = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER},"
    rf" Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}"
)
# With equal times there is no more than "count=1 curr=16".
_RUNS = re.compile(r"\bcount=\d+ .*")
_FIELD = re.compile(rf"(\w+)={_NUMBER}")
_MEMORY = re.compile(rf"[Mm]emory footprint.*\(MB\): init={_NUMBER} overall={_NUMBER}")
_PROFILE = "Operator-wise Profiling Info for Regular Benchmark Runs"
# Fields are parted by tabs, or by at least two blanks in later versions.
_FIELDS = re.compile(r"\s*\t\s*|\s{2,}")
# It may take long to load a model on a slow machine; after that, max_secs holds.
_GRACE_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class Operator:
    """A line of the program's profile.

    Attributes:
      name: the operator's, or that of one inside a delegate.
      where: what the program calls the node, most often by the tensor that it writes.
      seconds: its average.
    """

    name: str
    where: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Result:
    """What the program said, in seconds and bytes.

    Attributes:
      loaded: creating the interpreter and preparing the graph.
      first: the first run.
      mean: the average of the timed runs.
      minimum: the fastest.
      maximum: the slowest.
      runs: how many were timed.
      memory: its memory beyond what it had when it started; None when it does not tell.
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


def arguments(graph: str, configuration: Configuration, limits: Limits, profile: bool) -> list[str]:
    """Returns the program's flags.

    Args:
      graph: where the .tflite is, as the program sees it.
      configuration: how the model is run.
      limits: when it is enough.
      profile: whether each operator is timed.
    """

    def truth(value: bool) -> str:
        return "true" if value else "false"

    return [
        f"--graph={graph}",
        f"--num_threads={configuration.threads}",
        f"--use_xnnpack={truth(configuration.xnnpack)}",
        f"--num_runs={limits.runs}",
        f"--min_secs={limits.seconds:g}",
        f"--max_secs={limits.maximum:g}",
        f"--warmup_runs={limits.warmup}",
        f"--enable_op_profiling={truth(profile)}",
    ]


def _profile(lines: Sequence[str]) -> tuple[Operator, ...]:
    """The rows of "Run Order" behind the profile's headline."""
    columns: list[str] = []
    found = []
    for line in lines:
        fields = line.strip()
        if not columns:
            if fields.startswith("[node type]"):
                columns = re.findall(r"\[([^\]]+)\]", fields)
            continue
        # The last column is a name, in which anything may stand.
        cells = _FIELDS.split(fields, maxsplit=len(columns) - 1)
        if len(cells) != len(columns):
            break
        row = dict(zip(columns, cells, strict=True))
        try:
            seconds = float(row["avg ms"]) / 1e3
        except (KeyError, ValueError):
            break
        found.append(Operator(row["node type"], row.get("Name", ""), seconds))
    return tuple(found)


def parse(output: str, what: str) -> Result:
    """Reads what the program printed.

    Args:
      output: all of it.
      what: which model and configuration, for messages.

    Raises:
      cli.UserError: there are no timings in it.
    """
    summary, memory = _SUMMARY.search(output), _MEMORY.search(output)
    # The warm-up's line comes before that of the runs; a profile has such lines, too, behind.
    counts = _RUNS.findall(output[: summary.start()]) if summary else []
    if not counts:
        raise cli.UserError(
            f"{what}: benchmark_model printed no timings; its last words are: {last_words(output)}."
        )
    runs = {name: float(value) for name, value in _FIELD.findall(counts[-1])}
    _, found, after = output.partition(_PROFILE)
    microseconds = [float(value) / 1e6 for value in summary.group(1, 2, 4)]
    return Result(
        loaded=microseconds[0],
        first=microseconds[1],
        mean=microseconds[2],
        minimum=runs["min"] / 1e6 if "min" in runs else microseconds[2],
        maximum=runs["max"] / 1e6 if "max" in runs else microseconds[2],
        runs=int(runs["count"]),
        # What the program calls MB is 1024 of the kernel's kB.
        memory=round(float(memory[2]) * (1 << 20)) if memory else None,
        operators=_profile(after.splitlines()) if found else (),
    )


def last_words(output: str) -> str:
    """Returns the last line that says something, for a message."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "nothing"


class Here:
    """The program on this machine."""

    place = "this machine"

    def __init__(self, binary: str) -> None:
        """Takes the program.

        Args:
          binary: the program's path.
        """
        self._binary = binary

    def run(self, path: str, what: str, flags_of: Callable[[str], list[str]], limit: float) -> str:
        """Runs the program on a model and returns what it printed.

        Args:
          path: the .tflite.
          what: which model and configuration, for messages.
          flags_of: gives the program's flags for the .tflite's place.
          limit: how many seconds the runs may take.

        Raises:
          cli.UserError: it cannot be started, fails, or does not end.
        """
        return call([self._binary, *flags_of(path)], what, limit + _GRACE_SECONDS)

    def close(self) -> None:
        """There is nothing to take away."""


def ended(command: Sequence[str], limit: float, late: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; both streams stand in its `stdout`.

    Args:
      command: the program and its arguments.
      limit: the seconds that it may take.
      late: what is said when that is not enough.

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


def call(command: Sequence[str], what: str, limit: float) -> str:
    """Runs a command and returns what it printed, both streams together.

    Raises:
      cli.UserError: it cannot be started, fails, or does not end in `limit` seconds.
    """
    result = ended(command, limit, f"{what}: has not ended after {limit:.0f} seconds.")
    if result.returncode:
        raise cli.UserError(
            f"{what}: benchmark_model {how_it_ended(result.returncode)}; its last words are:"
            f" {last_words(result.stdout)}."
        )
    return result.stdout
