"""A process of its own for one model in one configuration: it loads, runs on command, and tells.

The interpreter trusts a model, so a bad one ends this process and not the benchmark. Memory is what
the kernel counts for this process alone.
"""

import ctypes
import dataclasses
import gc
import multiprocessing
import multiprocessing.connection
import os
import re
import signal
import tempfile
import time
from typing import Any

from tools.lib.cli import cli

# What every worker needs; the first two, because multiprocessing imports the main program in each.
_PRELOADED = (
    "tools.benchmark.latency_tables",
    "tools.lib.interpreter.model_argument",
    "tools.benchmark.operator_profile",
    "tools.benchmark.sample_inputs",
    "tools.benchmark.worker",
    "tools.lib.interpreter.interpreter",
)
_STATUS = "/proc/self/status"


@dataclasses.dataclass(frozen=True)
class Configuration:
    """How a model is run.

    Attributes:
      threads: how many threads compute.
      xnnpack: whether XNNPACK's kernels are used where it has some.
    """

    threads: int
    xnnpack: bool

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{threads}, XNNPACK {'on' if self.xnnpack else 'off'}"


@dataclasses.dataclass(frozen=True)
class Task:
    """What a worker is to run.

    Attributes:
      name: what messages call the model.
      path: the .tflite.
      preprocessing: as tools/benchmark/sample_inputs.py takes it.
      photograph: a picture for the inputs that want one.
      configuration: how it is run.
      profile: whether each operator is timed, which takes a little time itself.
    """

    name: str
    path: str
    preprocessing: str
    photograph: str
    configuration: Configuration
    profile: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.configuration})"


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A model that is ready.

    Attributes:
      seconds: creating the interpreter and preparing the graph, without reading the file.
      first: the first run, which also packs weights and touches memory for the first time.
      inputs: what its inputs were given.
      interpreter: what ran it.
      processor: the seconds of all its threads on the processors until then.
    """

    seconds: float
    first: float
    inputs: tuple[str, ...]
    interpreter: str
    processor: float


@dataclasses.dataclass(frozen=True)
class Ended:
    """What a worker needed in all.

    Attributes:
      memory: the largest resident set since the file had been read, less what was resident then
        (Python, TensorFlow's libraries, the file itself), in bytes; None where the kernel does not
        tell.
      processor: the seconds of all its threads on the processors.
    """

    memory: int | None
    processor: float


def resident(status: str) -> tuple[int, int]:
    """Returns the resident set and its largest value so far, in bytes.

    Args:
      status: what /proc/PID/status says.
    """
    found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status, re.MULTILINE))
    return int(found["VmRSS"]) * 1024, int(found["VmHWM"]) * 1024


def _read_status() -> str:
    with open(_STATUS, encoding="utf-8") as stream:
        return stream.read()


def _forget_peak() -> bool:
    """Gives free memory back, and sets the largest resident set to the present one.

    Otherwise a model would take what is free already and seem to need nothing; see proc(5),
    clear_refs, and malloc_trim(3).

    Returns:
      Whether the kernel lets a process do so; some containers do not.
    """
    ctypes.CDLL(None).malloc_trim(0)
    try:
        with open("/proc/self/clear_refs", "w", encoding="utf-8") as stream:
            stream.write("5")
    except OSError:
        return False
    return True


class _Run:
    """One model, loaded, in the worker's process."""

    def __init__(self, task: Task) -> None:
        # TensorFlow is imported by workers only: the benchmark itself starts, and refuses, at once.
        import tensorflow as tf

        from tools.benchmark import operator_profile, sample_inputs
        from tools.lib.interpreter.interpreter import Interpreter
        from tools.lib.tflite_file import reader

        content = cli.read_file(task.path, "model")
        model = reader.read(content, task.name)
        inputs = model.subgraphs[0].inputs if model.subgraphs else ()
        ports = [
            sample_inputs.port(model.subgraphs[0].tensors[index], task.name) for index in inputs
        ]
        values = [
            sample_inputs.values(port, task.preprocessing, task.photograph, task.name)
            for port in ports
        ]
        self._forgets = _forget_peak()
        self._baseline, _ = resident(_read_status())
        self._stopwatch = operator_profile.Stopwatch() if task.profile else None
        begun = time.perf_counter()
        self._interpreter = Interpreter(
            content,
            task.name,
            task.configuration.threads,
            task.configuration.xnnpack,
            model=model,
            delegates=[self._stopwatch] if self._stopwatch else (),
        )
        seconds = time.perf_counter() - begun
        self._interpreter.set_inputs(values)
        self.loaded = Loaded(
            seconds,
            self.seconds(),
            tuple(sample_inputs.kind(port, task.preprocessing) for port in ports),
            f"TensorFlow Lite of TensorFlow {tf.__version__}",
            time.process_time(),
        )

    def seconds(self) -> float:
        """Returns what one run takes."""
        begun = time.perf_counter_ns()
        self._interpreter.invoke()
        return (time.perf_counter_ns() - begun) / 1e9

    def turn(self, untimed: int, timed: int) -> list[float]:
        """Runs and returns the seconds of the timed runs."""
        for _ in range(untimed):
            self._interpreter.invoke()
        return [self.seconds() for _ in range(timed)]

    def profile(self, timed: int) -> tuple[list, list[float]]:
        """Runs with each operator timed; returns the operators and the seconds of the runs."""
        self._stopwatch.start()
        seconds = self.turn(0, timed)
        return self._stopwatch.operators(self._interpreter.model.subgraphs[0]), seconds

    def end(self) -> Ended:
        """Returns what all runs needed."""
        _, peak = resident(_read_status())
        memory = max(peak - self._baseline, 0) if self._forgets else None
        return Ended(memory, time.process_time())


def _serve(connection: multiprocessing.connection.Connection, task: Task) -> None:
    """What a worker's process does."""
    # As timeit does; a collection would also copy what is shared with the forking process.
    gc.disable()
    stderr = os.dup(2)
    # TensorFlow Lite tells of delegates there, and of what it then raises.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        run = _Run(task)
        connection.send(run.loaded)
        while True:
            name, arguments = connection.recv()
            connection.send(getattr(run, name)(*arguments))
            if name == "end":
                return
    except cli.UserError as error:
        connection.send(error)
    except EOFError:
        # Nobody wants to know any more.
        return
    except Exception:
        # A mistake of this program's own, which shall be seen.
        os.dup2(stderr, 2)
        raise


def how_it_ended(code: int) -> str:
    """Returns how a process ended.

    Args:
      code: its exit code; below 0, as subprocess has it, the signal that ended it.
    """
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


class Worker:
    """A worker, as the benchmark sees it."""

    def __init__(self, task: Task) -> None:
        """Starts a worker; `loaded` waits for it.

        Args:
          task: what it is to run.

        Raises:
          cli.UserError: the folder for temporary files is no place for a socket.
        """
        self.task = task
        context = multiprocessing.get_context("forkserver")
        # One process imports TensorFlow; each worker is forked from it, so that it is loaded once.
        context.set_forkserver_preload(list(_PRELOADED))
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, task), daemon=True)
        try:
            self._process.start()
        except OSError as error:
            raise cli.UserError(
                f"{tempfile.gettempdir()}: no process can be reached through this folder: {error};"
                " set TMPDIR to a shorter one that can be written."
            ) from error
        other.close()

    def _answer(self) -> Any:
        try:
            answer = self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            how = how_it_ended(self._process.exitcode or 0)
            raise cli.UserError(
                f"{self.task}: the interpreter's process {how}; the model makes it crash, or the"
                " machine has too little memory for it."
            ) from None
        if isinstance(answer, cli.UserError):
            raise answer
        return answer

    def loaded(self) -> Loaded:
        """Waits until the model is loaded and has run once.

        Raises:
          cli.UserError: the model cannot be loaded or run, or ends the process.
        """
        return self._answer()

    def _ask(self, name: str, *arguments: int) -> Any:
        try:
            self._connection.send((name, arguments))
        except BrokenPipeError:
            # What ended the process is told below.
            pass
        return self._answer()

    def turn(self, untimed: int, timed: int) -> list[float]:
        """Runs some times and returns the seconds of each timed run.

        Args:
          untimed: how many runs come before.
          timed: how many runs are timed.

        Raises:
          cli.UserError: a run fails, or ends the process.
        """
        return self._ask("turn", untimed, timed)

    def profile(self, timed: int) -> tuple[list, list[float]]:
        """Returns `operator_profile.Timed` for each operator, and the seconds of each whole run.

        Args:
          timed: how many runs.

        Raises:
          cli.UserError: as `turn`, or the interpreter does not show its operators.
        """
        return self._ask("profile", timed)

    def end(self) -> Ended:
        """Ends the worker and returns what it needed."""
        ended = self._ask("end")
        self.close()
        return ended

    def close(self) -> None:
        """Ends the worker, whatever it does."""
        self._connection.close()
        self._process.terminate()
        self._process.join()
