"""Runs one model in one configuration in a process of its own.

The interpreter trusts a model, so a bad model ends this process and not the benchmark. A separate
process also lets the kernel count the model's memory alone.
"""

import dataclasses

from reproducible_tflite.lib.interpreter import child


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


class Worker:
    """A worker's process, seen from the benchmark.

    Attributes:
      task: what it runs.
    """

    def __init__(self, task: Task) -> None:
        """Starts a worker for a task; `loaded` waits for it."""
        # Imports TensorFlow once, for all workers. Before that, mistakes are reported at once.
        from reproducible_tflite.benchmark import loaded_model

        self.task = task
        self._child = child.Child(str(task), loaded_model.LoadedModel, task)

    def loaded(self) -> Loaded:
        """Waits until the model is loaded and has run once.

        Raises:
          cli.UserError: the model cannot be loaded or run, ends the process, or takes too long or
            too much memory.
        """
        self._child.ready()
        return self._child.call("describe")

    def turn(self, untimed: int, timed: int) -> list[float]:
        """Runs the model and returns the seconds of each timed run.

        Args:
          untimed: the number of untimed runs before.
          timed: the number of timed runs.

        Raises:
          cli.UserError: a run fails, or ends the process, or takes too long or too much memory.
        """
        return self._child.call("turn", untimed, timed, seconds=child.SECONDS * (untimed + timed))

    def profile(self, timed: int) -> tuple[list, list[float]]:
        """Returns `operator_profile.Timed` for each operator, and the seconds of each whole run.

        Args:
          timed: the number of runs.

        Raises:
          cli.UserError: as for `turn`, or the interpreter does not expose its operators.
        """
        return self._child.call("profile", timed, seconds=child.SECONDS * timed)

    def end(self) -> int | None:
        """Ends the worker and returns the memory that the model needed.

        Returns:
          The largest resident set after the file was read, minus what was resident then (Python,
          TensorFlow's libraries, the file itself), in bytes; None if the kernel does not report it.
        """
        memory = self._child.call("memory")
        self.close()
        return memory

    def close(self) -> None:
        """Ends the worker's process at once."""
        self._child.close()
