"""Measures how long models take, how much memory they need, and where the time goes.

    bazel run //tools/benchmark -- [options] //models:x|FILE.tflite ...

For example, two models with and without XNNPACK on one and two threads, and what is slow in them:

    bazel run //tools/benchmark -- --threads=1,2 --xnnpack=on,off --profile \\
        //models:mobiledet //models:mobiledet_qat --json=latency.json

Each model has a process of its own in each configuration. They run in turn (A B A B ...), and what
counts are the ratios with their confidence intervals, since machines are shared and noisy. With
--benchmark_binary TensorFlow Lite's own benchmark_model runs the models instead, here or, with
--adb, on an Android phone (tools/benchmark/README.md).
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence

from absl import flags
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tools.benchmark import (
    latency_tables,
    machine,
    measurement,
    official_binary,
    phone,
    turns,
    worker,
)
from tools.benchmark.worker import Configuration
from tools.lib.cli import cli
from tools.lib.interpreter import model_argument


class _OptionalSerial(flags.ArgumentParser):
    """The value of a flag that may be given without one."""

    syntactic_help = "--adb or --adb=SERIAL"

    def parse(self, argument: str) -> str | None:
        # absl's own values of a flag without one, and with "no" before it.
        return {"true": "", "false": None}.get(argument, argument)


_THREADS = flags.DEFINE_list("threads", ["1"], "How many threads compute: --threads=1,2.")
_XNNPACK = flags.DEFINE_list(
    "xnnpack", ["on"], "With or without XNNPACK's kernels: --xnnpack=on,off."
)
_RUNS = flags.DEFINE_integer("runs", 30, "At least so many timed runs.", lower_bound=1)
_WARMUP = flags.DEFINE_integer("warmup", 3, "How many runs come before, untimed.", lower_bound=1)
_SECONDS = flags.DEFINE_float(
    "seconds", 1.0, "And at least so many seconds of timed runs.", lower_bound=0.0
)
_MAX_SECONDS = flags.DEFINE_float(
    "max_seconds", 20.0, "No more than about so many for each configuration.", lower_bound=0.1
)
_PROFILE = flags.DEFINE_bool("profile", False, "Time each operator, too, in runs of their own.")
_OPERATORS = flags.DEFINE_integer(
    "operators", 10, "How many operators of a profile are shown.", lower_bound=1
)
_JSON = flags.DEFINE_string("json", None, "A file for all figures (benchmark.schema.json).")
_BINARY = flags.DEFINE_string(
    "benchmark_binary", None, "TensorFlow Lite's benchmark_model, which then runs the models."
)
_SERIAL = flags.DEFINE(
    _OptionalSerial(),
    "adb",
    None,
    "Run --benchmark_binary on a phone: the only one, or that of a serial number.",
)
flags.FLAGS["adb"].boolean = True
_PHOTOGRAPH = flags.DEFINE_string(
    "photograph", None, "What inputs for pictures get; the Bazel target gives one."
)

# As many rounds as a confidence interval needs; the program loads the model anew in each.
_ROUNDS_OF_BINARY = 6
_LEAST_PROFILED_RUNS, _MOST_PROFILED_RUNS = 3, 20


def configurations(threads: Sequence[str], xnnpack: Sequence[str]) -> list[Configuration]:
    """Returns every combination, in the order given, each once.

    Args:
      threads: numbers of threads as text.
      xnnpack: "on" or "off".

    Raises:
      cli.UserError: one is something else, or there is none.
    """
    for text in threads:
        if not text.isdecimal() or not 1 <= int(text) <= 256:
            raise cli.UserError(f"--threads: {text!r} is no number of threads; give 1 to 256.")
    for text in xnnpack:
        if text not in ("on", "off"):
            raise cli.UserError(f"--xnnpack: {text!r} is neither on nor off.")
    found = [Configuration(int(count), kind == "on") for count in threads for kind in xnnpack]
    if not found:
        raise cli.UserError("--threads, --xnnpack: nothing is given.")
    return list(dict.fromkeys(found))


def names(models: Sequence[model_argument.GivenModel]) -> list[str]:
    """Returns what the tables call models: their short names, or as they were given.

    Raises:
      cli.UserError: one was given twice.
    """
    given = [model.given for model in models]
    short = [model.name for model in models]
    for name in given:
        if given.count(name) > 1:
            raise cli.UserError(f"{name}: is given twice; once is enough.")
    return [
        name if short.count(name) == 1 else whole for name, whole in zip(short, given, strict=True)
    ]


class _Stages:
    """Tells on stderr how far it is: a bar on a terminal, else a line for each stage."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=1.0)

    @contextlib.contextmanager
    def shown(self) -> Iterator["_Stages"]:
        with self._bar:
            yield self

    def stage(self, text: str) -> None:
        """Begins a stage."""
        self._bar.reset(self._task, description=text, total=1.0)
        if self._bar.disable:
            print(text, file=sys.stderr, flush=True)

    def part(self, done: float) -> None:
        """Says which part of the stage is done, from 0 to 1."""
        self._bar.update(self._task, completed=done)


class _Meanwhile:
    """What the machine does while something is measured: from when this is made on."""

    def __init__(self) -> None:
        self._before, self._begun, self._used = machine.moment(), time.monotonic(), self._work()

    @staticmethod
    def _work() -> float:
        """The seconds that this process and its children that have ended were on processors."""
        return sum(os.times()[:4])

    def over(self, further: float = 0.0) -> machine.Machine:
        """Returns it; `further` are seconds of work of processes that are no children of this."""
        own = self._work() - self._used + further
        return machine.between(self._before, machine.moment(), time.monotonic() - self._begun, own)


def _profile(
    task: worker.Task, limits: turns.Limits
) -> tuple[tuple[list, list[float]], worker.Ended]:
    """Times operators in a process of their own, so that it changes nothing of the latency."""
    with contextlib.closing(worker.Worker(task)) as one:
        one.loaded()
        [seconds] = one.turn(limits.warmup - 1, 1)
        affordable = int(limits.maximum / seconds)
        runs = min(max(affordable, _LEAST_PROFILED_RUNS), _MOST_PROFILED_RUNS)
        return one.profile(runs), one.end()


def _in_workers(
    tasks: Sequence[worker.Task], limits: turns.Limits, stages: _Stages
) -> tuple[str, machine.Machine, list[measurement.Measurement]]:
    """Measures in TensorFlow Lite's interpreter.

    Returns:
      What ran the models, the machine once all were loaded, and what was found.
    """
    with contextlib.ExitStack() as stack:
        workers, loaded = [], []
        for number, task in enumerate(tasks, 1):
            stages.stage(f"loading {task}, {number} of {len(tasks)}")
            workers.append(worker.Worker(dataclasses.replace(task, profile=False)))
            stack.callback(workers[-1].close)
            loaded.append(workers[-1].loaded())
        stages.stage(f"running {len(tasks)} in turn")
        meanwhile = _Meanwhile()
        rounds = turns.measure(workers, limits, time.monotonic, stages.part)
        ended = [one.end() for one in workers]
    profiles = [None] * len(tasks)
    for index, task in enumerate(tasks):
        if task.profile:
            stages.stage(f"timing the operators of {task}")
            profiles[index], further = _profile(task, limits)
            ended.append(further)
    found = [
        measurement.of_worker(*row)
        for row in zip(tasks, loaded, rounds, ended[: len(tasks)], profiles, strict=True)
    ]
    # Workers are the fork server's children; those of profiles were loaded meanwhile.
    own = sum(one.processor for one in ended) - sum(one.processor for one in loaded)
    return f"{loaded[0].interpreter} on this machine", meanwhile.over(own), found


def _of_binary(
    runner: official_binary.Here | phone.Phone,
    tasks: Sequence[worker.Task],
    limits: turns.Limits,
    stages: _Stages,
) -> list[measurement.Measurement]:
    """Measures with TensorFlow Lite's own program, in turn."""
    share = turns.Limits(
        runs=max(limits.runs // _ROUNDS_OF_BINARY, 1),
        seconds=limits.seconds / _ROUNDS_OF_BINARY,
        maximum=limits.maximum / _ROUNDS_OF_BINARY,
        warmup=limits.warmup,
    )
    results: list[list[official_binary.Result]] = [[] for _ in tasks]
    stages.stage(f"running {len(tasks)} in turn")
    for number in range(_ROUNDS_OF_BINARY):
        for index, task in enumerate(tasks):

            def flags_of(path: str, task: worker.Task = task) -> list[str]:
                return official_binary.arguments(path, task.configuration, share, task.profile)

            output = runner.run(task.path, str(task), flags_of, share.maximum)
            results[index].append(official_binary.parse(output, str(task)))
            stages.part((number * len(tasks) + index + 1) / (_ROUNDS_OF_BINARY * len(tasks)))
    return [
        measurement.of_results(task.name, task.configuration, found)
        for task, found in zip(tasks, results, strict=True)
    ]


def _binary() -> str:
    path = cli.callers_path(_BINARY.value)
    if not os.path.isfile(path):
        raise cli.UserError(f"{path}: is no file; --benchmark_binary takes benchmark_model itself.")
    if _SERIAL.value is None and not os.access(path, os.X_OK):
        raise cli.UserError(f"{path}: is not executable; chmod +x it, or run it on a phone: --adb.")
    return path


def _measure(tasks: Sequence[worker.Task]) -> tuple[str, machine.Machine | None, list]:
    limits = turns.Limits(_RUNS.value, _SECONDS.value, _MAX_SECONDS.value, _WARMUP.value)
    stages = _Stages()
    if _BINARY.value is None:
        with stages.shown():
            return _in_workers(tasks, limits, stages)
    binary = _binary()
    on_phone = _SERIAL.value is not None
    runner = phone.Phone(binary, _SERIAL.value) if on_phone else official_binary.Here(binary)
    meanwhile = _Meanwhile()
    with contextlib.closing(runner), stages.shown():
        found = _of_binary(runner, tasks, limits, stages)
    return f"benchmark_model on {runner.place}", None if on_phone else meanwhile.over(), found


def _tasks(
    models: Sequence[model_argument.GivenModel], called: Sequence[str]
) -> Iterator[worker.Task]:
    for model, name in zip(models, called, strict=True):
        for configuration in configurations(_THREADS.value, _XNNPACK.value):
            yield worker.Task(
                name=name,
                path=os.path.abspath(model.path),
                preprocessing=model.preprocessing,
                photograph=os.path.abspath(_PHOTOGRAPH.value or ""),
                configuration=configuration,
                profile=_PROFILE.value,
            )


def main(argv: Sequence[str]) -> None:
    """Measures, prints and writes."""
    if len(argv) < 2:
        raise cli.UserError("no model is given; give labels, as //models:NAME, or .tflite files.")
    if _SERIAL.value is not None and _BINARY.value is None:
        raise cli.UserError("--adb: needs --benchmark_binary, benchmark_model for the phone.")
    configurations(_THREADS.value, _XNNPACK.value)
    models = [model_argument.resolve(given) for given in argv[1:]]
    called = names(models)
    place, meanwhile, found = _measure(list(_tasks(models, called)))
    benchmarked = tuple(
        measurement.BenchmarkedModel(
            name=name,
            source=model.given,
            size=len(model.content),
            sha256=hashlib.sha256(model.content).hexdigest(),
            weights=model.weights,
        )
        for name, model in zip(called, models, strict=True)
    )
    benchmark = measurement.Benchmark(place, meanwhile, benchmarked, tuple(found))
    latency_tables.show(Console(), benchmark, _OPERATORS.value)
    if _JSON.value:
        with cli.output_file(cli.callers_path(_JSON.value), "w") as stream:
            json.dump(measurement.document(benchmark), stream, indent=2)
            stream.write("\n")


if __name__ == "__main__":
    cli.run(main, positional=None)
