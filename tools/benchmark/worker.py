"""Runs one model in one configuration in a process of its own.

The interpreter trusts a model, so a bad model ends this process and not the benchmark. A separate
process also lets the kernel count the model's memory alone.
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

# What every worker imports; the first two because multiprocessing imports the main program.
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
      xnnpack: whether XNNPACK's kernels are used where they exist.
    """

    threads: int
    xnnpack: bool

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{threads}, XNNPACK {'on' if self.xnnpack else 'off'}"


@dataclasses.dataclass(frozen=True)
class Task:
    """What a worker runs.

    Attributes:
      name: the model's name in messages.
      path: the .tflite.
      preprocessing: as for `sample_inputs.kind`.
      photograph: a PNG or JPEG file for picture inputs.
      configuration: how the model is run.
      profile: whether each operator is timed, which slows the model a little.
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
    """The figures of a model that has been loaded and has run once. Times are in seconds.

    Attributes:
      seconds: creating the interpreter and preparing the graph, without reading the file.
      first: the first run, which also packs weights and touches memory for the first time.
      inputs: what each input was given.
      interpreter: the name and version of the interpreter.
      processor: CPU time of all its threads so far.
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
      memory: the largest resident set after the file was read, minus what was resident then
        (Python, TensorFlow's libraries, the file itself), in bytes; None if the kernel does not
        report it.
      processor: CPU seconds of all its threads.
    """

    memory: int | None
    processor: float


def resident(status: str) -> tuple[int, int]:
    """Returns the resident set and its largest value so far, in bytes.

    Args:
      status: the content of /proc/PID/status.
    """
    kib = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status, re.MULTILINE))
    return int(kib["VmRSS"]) * 1024, int(kib["VmHWM"]) * 1024


def _read_status() -> str:
    with open(_STATUS, encoding="utf-8") as stream:
        return stream.read()


def _forget_peak() -> bool:
    """Returns free memory to the kernel, and resets the largest resident set.

    Otherwise a model would reuse memory that is already resident and seem to need none. See
    clear_refs in proc(5), and malloc_trim(3).

    Returns:
      Whether the kernel allows this; in some containers it does not.
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
        # Only workers import TensorFlow, so that the benchmark starts and reports mistakes at once.
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
        """Runs once and returns the seconds."""
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
        """Returns the memory and CPU time of all runs."""
        _, peak = resident(_read_status())
        memory = max(peak - self._baseline, 0) if self._forgets else None
        return Ended(memory, time.process_time())


def _serve(connection: multiprocessing.connection.Connection, task: Task) -> None:
    """Answers requests until "end"; the main function of a worker's process."""
    # As in timeit. A collection would also copy pages that are shared with the fork server.
    gc.disable()
    stderr = os.dup(2)
    # TensorFlow Lite logs delegates there, and errors that it raises anyway.
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
        # The benchmark has closed the connection.
        return
    except Exception:
        # A bug in this program; show it.
        os.dup2(stderr, 2)
        raise


def how_it_ended(code: int) -> str:
    """Returns how a process ended, as a phrase.

    Args:
      code: its exit code; a negative one is the signal that ended it, as in subprocess.
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


class Worker:
    """A worker's process, seen from the benchmark.

    Attributes:
      task: what it runs.
    """

    def __init__(self, task: Task) -> None:
        """Starts a worker; `loaded` waits for it.

        Args:
          task: what it runs.

        Raises:
          cli.UserError: no socket can be created in the folder for temporary files.
        """
        self.task = task
        context = multiprocessing.get_context("forkserver")
        # One process imports TensorFlow once; each worker is forked from it.
        context.set_forkserver_preload(list(_PRELOADED))
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, task), daemon=True)
        try:
            self._process.start()
        except OSError as error:
            raise cli.UserError(
                f"{tempfile.gettempdir()}: no socket can be created in this folder: {error};"
                " set TMPDIR to a writable folder with a shorter path."
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
            # `_answer` reports how the process ended.
            pass
        return self._answer()

    def turn(self, untimed: int, timed: int) -> list[float]:
        """Runs the model and returns the seconds of each timed run.

        Args:
          untimed: the number of untimed runs before.
          timed: the number of timed runs.

        Raises:
          cli.UserError: a run fails, or ends the process.
        """
        return self._ask("turn", untimed, timed)

    def profile(self, timed: int) -> tuple[list, list[float]]:
        """Returns `operator_profile.Timed` for each operator, and the seconds of each whole run.

        Args:
          timed: the number of runs.

        Raises:
          cli.UserError: as for `turn`, or the interpreter does not expose its operators.
        """
        return self._ask("profile", timed)

    def end(self) -> Ended:
        """Ends the worker and returns what it needed."""
        ended = self._ask("end")
        self.close()
        return ended

    def close(self) -> None:
        """Ends the worker's process at once."""
        self._connection.close()
        self._process.terminate()
        self._process.join()
