"""The figures of a benchmark, whatever ran the models, and their JSON (benchmark.schema.json)."""

import dataclasses
import functools
import statistics
from collections.abc import Sequence
from typing import Any

from reproducible_tflite.benchmark import (
    latency_statistics,
    official_binary,
    operator_profile,
    worker,
)
from reproducible_tflite.benchmark.machine import Machine
from reproducible_tflite.benchmark.official_binary import Operator
from reproducible_tflite.benchmark.worker import Configuration

_VERSION = 1


@dataclasses.dataclass(frozen=True)
class BenchmarkedModel:
    """A model that was measured.

    Attributes:
      name: its name in the tables.
      source: the label or file that a person gave.
      size: the size of the .tflite in bytes.
      sha256: the sha256 of the .tflite.
      weights: see `Identity.weights`; "" for a foreign file.
    """

    name: str
    source: str
    size: int
    sha256: str
    weights: str


@dataclasses.dataclass(frozen=True)
class Profile:
    """The operators' times, and how much of a run they explain.

    Attributes:
      operators: in the order in which they ran.
      whole: the seconds of a whole run while the operators were timed.
      explained: the operators' total divided by the time of the run.
    """

    operators: tuple[Operator, ...]
    whole: float
    explained: float

    @property
    def total(self) -> float:
        """The sum of all operators' seconds."""
        return sum(operator.seconds for operator in self.operators)


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The figures of a model in one configuration; None where a figure is not known.

    Attributes:
      model: its name.
      configuration: how it was run.
      loaded: the seconds for creating the interpreter and preparing the graph.
      first: the seconds of the first run.
      times: the timed runs.
      memory: the peak beyond what the process had before the model was loaded, in bytes.
      inputs: what each input was given.
      rounds: the seconds of each run by round, from which ratios are computed.
      profile: the operators, if they were timed.
    """

    model: str
    configuration: Configuration
    loaded: float
    first: float
    times: latency_statistics.Summary
    memory: int | None
    inputs: tuple[str, ...]
    rounds: tuple[tuple[float, ...], ...]
    profile: Profile | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A measurement and its baseline."""

    measurement: Measurement
    baseline: Measurement
    ratio: latency_statistics.Ratio


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """All figures of one benchmark.

    Attributes:
      place: what ran the models, and where.
      machine: this machine during the benchmark; None if a phone ran the models.
      models: in the order given.
      measurements: all models in the same configurations, by model, then configuration.
    """

    place: str
    machine: Machine | None
    models: tuple[BenchmarkedModel, ...]
    measurements: tuple[Measurement, ...]

    @functools.cached_property
    def comparisons(self) -> list[Comparison]:
        """Each measurement with its baselines.

        These are the same model's first configuration, and the first model's same configuration.
        """
        first_of_model: dict[str, Measurement] = {}
        first_of_configuration: dict[Configuration, Measurement] = {}
        pairs = []
        for row in self.measurements:
            for baseline in (
                first_of_model.setdefault(row.model, row),
                first_of_configuration.setdefault(row.configuration, row),
            ):
                if baseline is not row:
                    ratio = latency_statistics.compare(row.rounds, baseline.rounds)
                    pairs.append(Comparison(row, baseline, ratio))
        return pairs


def of_worker(
    task: worker.Task,
    loaded: worker.Loaded,
    rounds: Sequence[Sequence[float]],
    memory: int | None,
    profiled: tuple[Sequence[operator_profile.Timed], Sequence[float]] | None,
) -> Measurement:
    """Returns the figures of a worker; `profiled` has operators, and the seconds of whole runs."""
    profile = None
    if profiled:
        timed, whole = profiled
        parts = zip(operator_profile.sum_of(timed), whole, strict=True)
        profile = Profile(
            tuple(Operator(op.name, op.where, statistics.median(op.seconds)) for op in timed),
            statistics.median(whole),
            statistics.median(total / run for total, run in parts),
        )
    return Measurement(
        model=task.name,
        configuration=task.configuration,
        loaded=loaded.seconds,
        first=loaded.first,
        times=latency_statistics.summarize([run for turn in rounds for run in turn]),
        memory=memory,
        inputs=loaded.inputs,
        rounds=tuple(map(tuple, rounds)),
        profile=profile,
    )


def of_results(
    model: str, configuration: Configuration, results: Sequence[official_binary.Result]
) -> Measurement:
    """Returns the figures of TensorFlow Lite's own program, which reports no percentiles.

    Args:
      model: the model's name.
      configuration: how it was run.
      results: one for each round. The times for loading and for the first run are their medians.
    """
    runs = sum(result.runs for result in results)
    profile = None
    last = results[-1]
    if last.operators:
        total = sum(operator.seconds for operator in last.operators)
        profile = Profile(last.operators, last.mean, total / last.mean)
    memory = [result.memory for result in results if result.memory is not None]
    return Measurement(
        model=model,
        configuration=configuration,
        loaded=statistics.median(result.loaded for result in results),
        first=statistics.median(result.first for result in results),
        times=latency_statistics.Summary(
            runs=runs,
            minimum=min(result.minimum for result in results),
            mean=sum(result.mean * result.runs for result in results) / runs,
            median=None,
            p90=None,
            p99=None,
            maximum=max(result.maximum for result in results),
        ),
        memory=max(memory, default=None),
        inputs=(),
        rounds=tuple((result.mean,) for result in results),
        profile=profile,
    )


def _key(measurement: Measurement) -> dict[str, Any]:
    return {"model": measurement.model, **dataclasses.asdict(measurement.configuration)}


def document(benchmark: Benchmark) -> dict[str, Any]:
    """Returns a benchmark as benchmark.schema.json describes it."""
    measurements = []
    for measurement in benchmark.measurements:
        row = dataclasses.asdict(measurement)
        row |= row.pop("configuration") | row.pop("times")
        row["rounds"] = len(measurement.rounds)
        measurements.append(row)
    return {
        "version": _VERSION,
        "place": benchmark.place,
        "machine": benchmark.machine and dataclasses.asdict(benchmark.machine),
        "confidence": latency_statistics.CONFIDENCE,
        "models": [dataclasses.asdict(model) for model in benchmark.models],
        "measurements": measurements,
        "comparisons": [
            {
                **_key(comparison.measurement),
                "baseline": _key(comparison.baseline),
                "rounds": comparison.ratio.rounds,
                "ratio": comparison.ratio.median,
                "low": comparison.ratio.low,
                "high": comparison.ratio.high,
            }
            for comparison in benchmark.comparisons
        ],
    }
