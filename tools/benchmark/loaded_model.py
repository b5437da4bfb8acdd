"""Runs one model in the worker's process, see worker.py."""

import ctypes
import gc
import re
import time

import tensorflow as tf

from reproducible_tflite.benchmark import operator_profile, sample_inputs
from reproducible_tflite.benchmark.worker import Loaded, Task
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import interpreter, ports, runtime
from reproducible_tflite.lib.tflite_file import reader

_STATUS = "/proc/self/status"


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


class LoadedModel:
    """One model, loaded, in the worker's process."""

    def __init__(self, task: Task) -> None:
        # As in timeit. A collection would also copy pages that are shared with the benchmark.
        gc.disable()
        content = cli.read_file(task.path, "model")
        model = reader.read(content, task.name)
        inputs = model.subgraphs[0].inputs if model.subgraphs else ()
        entries = [ports.of_file(model.subgraphs[0].tensors[i], task.name) for i in inputs]
        values = [
            sample_inputs.values(entry, task.preprocessing, task.photograph, task.name)
            for entry in entries
        ]
        interpreter.check(model, task.name)
        self._forgets = _forget_peak()
        self._baseline, _ = resident(_read_status())
        self._stopwatch = operator_profile.Stopwatch() if task.profile else None
        begun = time.perf_counter()
        self._graph = model.subgraphs[0]
        self._runtime = runtime.Runtime(
            content,
            task.name,
            model,
            task.configuration.threads,
            task.configuration.xnnpack,
            delegates=[self._stopwatch] if self._stopwatch else (),
        )
        seconds = time.perf_counter() - begun
        self._runtime.set_inputs(values)
        self._loaded = Loaded(
            seconds,
            self.seconds(),
            tuple(sample_inputs.kind(entry, task.preprocessing) for entry in entries),
            f"TensorFlow Lite of TensorFlow {tf.__version__}",
            time.process_time(),
        )

    def describe(self) -> Loaded:
        """Returns the figures of loading."""
        return self._loaded

    def seconds(self) -> float:
        """Runs once and returns the seconds."""
        begun = time.perf_counter_ns()
        self._runtime.invoke()
        return (time.perf_counter_ns() - begun) / 1e9

    def turn(self, untimed: int, timed: int) -> list[float]:
        """Runs and returns the seconds of the timed runs."""
        for _ in range(untimed):
            self._runtime.invoke()
        return [self.seconds() for _ in range(timed)]

    def profile(self, timed: int) -> tuple[list, list[float]]:
        """Runs with each operator timed; returns the operators and the seconds of the runs."""
        self._stopwatch.start()
        seconds = self.turn(0, timed)
        return self._stopwatch.operators(self._graph), seconds

    def memory(self) -> int | None:
        """Returns the memory of all runs so far, see `Worker.end`."""
        _, peak = resident(_read_status())
        return max(peak - self._baseline, 0) if self._forgets else None
