"""Measures how long models take, how much memory they need, and where the time goes.

    bazel run //tools/benchmark -- [options] //models:x|FILE.tflite ...

For example, two models with and without XNNPACK, on one and two threads, with their operators:

    bazel run //tools/benchmark -- --threads=1,2 --xnnpack=on,off --profile \\
        //models:mobiledet //models:mobiledet_qat --json=latency.json

Each model runs in a process of its own in each configuration. The processes take turns (A B A B
...). Machines are shared and noisy, so compare the ratios and their confidence intervals, not the
absolute times. With --benchmark_binary, TensorFlow Lite's own benchmark_model runs the models, on
this machine or, with --adb, on an Android phone (tools/benchmark/README.md).
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import collections
import contextlib
import dataclasses
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence

from absl import flags
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from reproducible_tflite.benchmark import (
    latency_tables,
    machine,
    measurement,
    official_binary,
    phone,
    turns,
    worker,
)
from reproducible_tflite.benchmark.worker import Configuration
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import model_argument


class _OptionalSerial(flags.ArgumentParser):
    """Parses --adb, whose value may be left out."""

    syntactic_help = "--adb or --adb=SERIAL"

    def parse(self, argument: str) -> str | None:
        # absl passes "true" for --adb and "false" for --noadb.
        return {"true": "", "false": None}.get(argument, argument)


_THREADS = flags.DEFINE_list("threads", ["1"], "Numbers of threads: --threads=1,2.")
_XNNPACK = flags.DEFINE_list(
    "xnnpack", ["on"], "With or without XNNPACK's kernels: --xnnpack=on,off."
)
_RUNS = flags.DEFINE_integer("runs", 30, "Minimum number of timed runs.", lower_bound=1)
_WARMUP = flags.DEFINE_integer(
    "warmup", 3, "Number of untimed runs before the timed ones.", lower_bound=1
)
_SECONDS = flags.DEFINE_float(
    "seconds", 1.0, "Minimum total time of the timed runs, in seconds.", lower_bound=0.0
)
_MAX_SECONDS = flags.DEFINE_float(
    "max_seconds", 20.0, "Approximate time limit per configuration, in seconds.", lower_bound=0.1
)
_PROFILE = flags.DEFINE_bool("profile", False, "Also time each operator, in separate runs.")
_OPERATORS = flags.DEFINE_integer(
    "operators", 10, "How many operators of a profile to show.", lower_bound=1
)
_JSON = flags.DEFINE_string("json", None, "Write all figures here (benchmark.schema.json).")
_BINARY = flags.DEFINE_string(
    "benchmark_binary", None, "Run the models with this benchmark_model of TensorFlow Lite."
)
_SERIAL = flags.DEFINE(
    _OptionalSerial(),
    "adb",
    None,
    "Run --benchmark_binary on the connected phone, or on the one with this serial number.",
)
flags.FLAGS["adb"].boolean = True
_PHOTOGRAPH = flags.DEFINE_string(
    "photograph", None, "The photograph for picture inputs; the Bazel target sets this."
)

# As many rounds as a confidence interval needs. The program reloads the model in each.
_ROUNDS_OF_BINARY = 6
_LEAST_PROFILED_RUNS, _MOST_PROFILED_RUNS = 3, 20


def configurations(threads: Sequence[str], xnnpack: Sequence[str]) -> list[Configuration]:
    """Returns every combination once, in the given order.

    Raises:
      cli.UserError: a value is invalid, or a list is empty.
    """
    for text in threads:
        # int() refuses thousands of digits.
        if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= 256:
            raise cli.UserError(
                f"--threads: {text[:20]!r} is not a number of threads; give 1 to 256."
            )
    for text in xnnpack:
        if text not in ("on", "off"):
            raise cli.UserError(f"--xnnpack: {text!r} is neither on nor off.")
    combinations = [
        Configuration(int(count), kind == "on") for count in threads for kind in xnnpack
    ]
    if not combinations:
        raise cli.UserError("--threads and --xnnpack need at least one value each.")
    return list(dict.fromkeys(combinations))


def names(models: Sequence[model_argument.GivenModel]) -> list[str]:
    """Returns the models' names for the tables: short ones, or as given where those are ambiguous.

    Raises:
      cli.UserError: a model was given twice.
    """
    short = [model.name for model in models]
    for name, count in collections.Counter(model.given for model in models).items():
        if count > 1:
            raise cli.UserError(f"{name}: is given twice; give it once.")
    return [model.name if short.count(model.name) == 1 else model.given for model in models]


class _Stages:
    """Shows progress on stderr: a bar on a terminal, else a line for each stage."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            console=cli.console(stderr=True),
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
            cli.note(text)

    def part(self, done: float) -> None:
        """Shows which part of the stage is done, from 0 to 1."""
        self._bar.update(self._task, completed=done)


def _profile(task: worker.Task, limits: turns.Limits) -> tuple[list, list[float]]:
    """Times operators in a separate process, so that the latency is measured without it."""
    with contextlib.closing(worker.Worker(task)) as profiler:
        profiler.loaded()
        seconds = turns.warm_up(profiler, limits, time.monotonic)
        affordable = int(limits.maximum / seconds)
        runs = min(max(affordable, _LEAST_PROFILED_RUNS), _MOST_PROFILED_RUNS)
        return profiler.profile(runs)


def _in_workers(
    tasks: Sequence[worker.Task], limits: turns.Limits, stages: _Stages
) -> tuple[str, machine.Machine, list[measurement.Measurement]]:
    """Measures in TensorFlow Lite's interpreter.

    Returns:
      What ran the models, the machine once all were loaded, and the measurements.
    """
    with contextlib.ExitStack() as stack:
        workers, loaded = [], []
        for number, task in enumerate(tasks, 1):
            stages.stage(f"loading {task}, {number} of {len(tasks)}")
            workers.append(worker.Worker(dataclasses.replace(task, profile=False)))
            stack.callback(workers[-1].close)
            loaded.append(workers[-1].loaded())
        stages.stage(f"running {len(tasks)} in turn")
        watch = machine.Watch()
        rounds = turns.measure(workers, limits, time.monotonic, stages.part)
        memory = [runner.end() for runner in workers]
    profiles = [None] * len(tasks)
    for index, task in enumerate(tasks):
        if task.profile:
            stages.stage(f"timing the operators of {task}")
            profiles[index] = _profile(task, limits)
    measurements = [
        measurement.of_worker(*row)
        for row in zip(tasks, loaded, rounds, memory, profiles, strict=True)
    ]
    earlier = sum(start.processor for start in loaded)
    return f"{loaded[0].interpreter} on this machine", watch.end(earlier), measurements


def _with_binary(
    runner: official_binary.LocalProgram | phone.Phone,
    tasks: Sequence[worker.Task],
    limits: turns.Limits,
    stages: _Stages,
) -> list[measurement.Measurement]:
    """Measures in turn with TensorFlow Lite's own program."""
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
            results[index].append(official_binary.parse(runner.run(task, share), str(task)))
            stages.part((number * len(tasks) + index + 1) / (_ROUNDS_OF_BINARY * len(tasks)))
    return [
        measurement.of_results(task.name, task.configuration, rounds)
        for task, rounds in zip(tasks, results, strict=True)
    ]


def _binary() -> str | None:
    """Returns the program of --benchmark_binary; None without one.

    Raises:
      cli.UserError: there is no such file, or it cannot be run here.
    """
    if _BINARY.value is None:
        return None
    path = cli.callers_path(_BINARY.value)
    if not os.path.isfile(path):
        raise cli.UserError(
            f"{path}: no such file; --benchmark_binary takes the program benchmark_model."
        )
    if _SERIAL.value is None and not os.access(path, os.X_OK):
        raise cli.UserError(
            f"{path}: is not executable; run chmod +x on it, or add --adb to run it on a phone."
        )
    return path


def _measure(
    tasks: Sequence[worker.Task], binary: str | None
) -> tuple[str, machine.Machine | None, list[measurement.Measurement]]:
    limits = turns.Limits(_RUNS.value, _SECONDS.value, _MAX_SECONDS.value, _WARMUP.value)
    stages = _Stages()
    if binary is None:
        with stages.shown():
            return _in_workers(tasks, limits, stages)
    serial = _SERIAL.value
    on_phone = serial is not None
    runner = phone.Phone(binary, serial) if on_phone else official_binary.LocalProgram(binary)
    watch = machine.Watch()
    with contextlib.closing(runner), stages.shown():
        measurements = _with_binary(runner, tasks, limits, stages)
    return f"benchmark_model on {runner.place}", None if on_phone else watch.end(), measurements


def main(argv: Sequence[str]) -> None:
    """Measures the models, prints tables, and writes the JSON file."""
    if len(argv) < 2:
        raise cli.UserError(
            "no model is given; give labels such as //models:NAME, or .tflite files."
        )
    if _SERIAL.value is not None and _BINARY.value is None:
        raise cli.UserError("--adb: needs --benchmark_binary, a benchmark_model for the phone.")
    # Wrong flags are refused before models are built.
    cli.check_output(_JSON.value)
    binary = _binary()
    chosen = configurations(_THREADS.value, _XNNPACK.value)
    models = [model_argument.resolve(given) for given in argv[1:]]
    shown_names = names(models)
    tasks = [
        worker.Task(
            name=name,
            path=os.path.abspath(model.path),
            preprocessing=model.preprocessing,
            photograph=os.path.abspath(_PHOTOGRAPH.value or ""),
            configuration=configuration,
            profile=_PROFILE.value,
        )
        for model, name in zip(models, shown_names, strict=True)
        for configuration in chosen
    ]
    place, state, measurements = _measure(tasks, binary)
    benchmarked = tuple(
        measurement.BenchmarkedModel(
            name=name,
            source=model.given,
            size=len(model.content),
            sha256=hashlib.sha256(model.content).hexdigest(),
            weights=model.weights,
        )
        for name, model in zip(shown_names, models, strict=True)
    )
    benchmark = measurement.Benchmark(place, state, benchmarked, tuple(measurements))
    latency_tables.show(cli.console(), benchmark, _OPERATORS.value)
    if _JSON.value:
        with cli.output_file(cli.callers_path(_JSON.value), "w") as stream:
            json.dump(measurement.document(benchmark), stream, indent=2)
            stream.write("\n")


if __name__ == "__main__":
    cli.run(main, positional=None)
