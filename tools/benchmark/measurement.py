"""What a benchmark found, whoever ran the model, and its form as JSON (benchmark.schema.json)."""

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Any

from tools.benchmark import latency_statistics, official_binary, operator_profile, worker
from tools.benchmark.machine import Machine
from tools.benchmark.worker import Configuration

_VERSION = 1


@dataclasses.dataclass(frozen=True)
class BenchmarkedModel:
    """A model that was measured.

    Attributes:
      name: how the tables call it.
      source: the label or file that a person gave.
      size: of the .tflite in bytes.
      sha256: of the .tflite.
      weights: "seeded", "released" or, of a foreign file, "".
    """

    name: str
    source: str
    size: int
    sha256: str
    weights: str


@dataclasses.dataclass(frozen=True)
class Operator:
    """A row of a profile: an operator's name, the tensor it writes, and its seconds in a run."""

    name: str
    where: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Profile:
    """What the operators took, and how well that explains the whole.

    Attributes:
      operators: in the order in which they ran.
      whole: the seconds of a run while it was profiled.
      explained: which part of a run the sum of its operators is.
    """

    operators: tuple[Operator, ...]
    whole: float
    explained: float

    @property
    def total(self) -> float:
        """All operators' seconds together."""
        return sum(operator.seconds for operator in self.operators)


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A model in one configuration. All times are in seconds; None is what was not told.

    Attributes:
      model: its name.
      configuration: how it was run.
      loaded: creating the interpreter and preparing the graph.
      first: the first run.
      runs: how many were timed.
      minimum: the fastest.
      mean: the average.
      median: the middle one.
      p90: nine of ten were no slower.
      p99: ninety-nine of a hundred were no slower.
      maximum: the slowest.
      memory: the peak beyond what the process had before the model was loaded, in bytes.
      inputs: what the inputs were given.
      rounds: the seconds of each round; what ratios are made of.
      profile: the operators, if they were timed.
    """

    model: str
    configuration: Configuration
    loaded: float
    first: float
    runs: int
    minimum: float
    mean: float
    median: float | None
    p90: float | None
    p99: float | None
    maximum: float
    memory: int | None
    inputs: tuple[str, ...]
    rounds: tuple[tuple[float, ...], ...]
    profile: Profile | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A measurement against a baseline; see `latency_statistics.Ratio`."""

    measurement: Measurement
    baseline: Measurement
    ratio: latency_statistics.Ratio


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """All that was measured in one go.

    Attributes:
      place: what ran the models, and where.
      machine: this machine meanwhile; None when another one ran the models.
      models: in the order given.
      measurements: by model, then configuration.
    """

    place: str
    machine: Machine | None
    models: tuple[BenchmarkedModel, ...]
    measurements: tuple[Measurement, ...]


def of_worker(
    task: worker.Task,
    loaded: worker.Loaded,
    rounds: Sequence[Sequence[float]],
    ended: worker.Ended,
    profiled: tuple[Sequence[operator_profile.Timed], Sequence[float]] | None,
) -> Measurement:
    """Returns what a worker found.

    Args:
      task: what it ran.
      loaded: what it said when it was ready.
      rounds: the seconds of each round's runs.
      ended: what it said at the end.
      profiled: the operators of some further runs and the seconds of those, or None.
    """
    seconds = [run for turn in rounds for run in turn]
    summary = latency_statistics.summarize(seconds)
    profile = None
    if profiled:
        timed, whole = profiled
        parts = zip(operator_profile.sum_of(timed), whole, strict=True)
        profile = Profile(
            tuple(Operator(one.name, one.where, statistics.median(one.seconds)) for one in timed),
            statistics.median(whole),
            statistics.median(total / run for total, run in parts),
        )
    return Measurement(
        model=task.name,
        configuration=task.configuration,
        loaded=loaded.seconds,
        first=loaded.first,
        runs=summary.runs,
        minimum=summary.minimum,
        mean=statistics.fmean(seconds),
        median=summary.median,
        p90=summary.p90,
        p99=summary.p99,
        maximum=max(seconds),
        memory=ended.memory,
        inputs=loaded.inputs,
        rounds=tuple(map(tuple, rounds)),
        profile=profile,
    )


def of_results(
    model: str, configuration: Configuration, results: Sequence[official_binary.Result]
) -> Measurement:
    """Returns what the official benchmark program found.

    Args:
      model: the model's name.
      configuration: how it was run.
      results: of each round. What it took to load is that of the median round; the program tells
        no percentiles.
    """
    runs = sum(result.runs for result in results)
    profile = None
    if results[-1].operators:
        operators = results[-1].operators
        profile = Profile(
            tuple(Operator(one.name, one.where, one.seconds) for one in operators),
            results[-1].mean,
            sum(one.seconds for one in operators) / results[-1].mean,
        )
    memory = [result.memory for result in results if result.memory is not None]
    return Measurement(
        model=model,
        configuration=configuration,
        loaded=statistics.median(result.loaded for result in results),
        first=statistics.median(result.first for result in results),
        runs=runs,
        minimum=min(result.minimum for result in results),
        mean=sum(result.mean * result.runs for result in results) / runs,
        median=None,
        p90=None,
        p99=None,
        maximum=max(result.maximum for result in results),
        memory=max(memory, default=None),
        inputs=(),
        rounds=tuple((result.mean,) for result in results),
        profile=profile,
    )


def comparisons(measurements: Sequence[Measurement]) -> list[Comparison]:
    """Returns each measurement against its baselines.

    These are the same model's first configuration, and the first model's same configuration.

    Args:
      measurements: all models in the same configurations, by model, then configuration.
    """
    first_of_model: dict[str, Measurement] = {}
    first_of_configuration: dict[Configuration, Measurement] = {}
    found = []
    for one in measurements:
        for baseline in (
            first_of_model.setdefault(one.model, one),
            first_of_configuration.setdefault(one.configuration, one),
        ):
            if baseline is not one:
                ratio = latency_statistics.compare(one.rounds, baseline.rounds)
                found.append(Comparison(one, baseline, ratio))
    return found


def _named(one: Measurement) -> dict[str, Any]:
    return {"model": one.model, **dataclasses.asdict(one.configuration)}


def document(benchmark: Benchmark) -> dict[str, Any]:
    """Returns a benchmark as benchmark.schema.json describes it."""
    measurements = []
    for one in benchmark.measurements:
        row = dataclasses.asdict(one)
        row.update(row.pop("configuration"))
        row["rounds"] = len(one.rounds)
        row["inputs"] = list(one.inputs)
        if one.profile:
            row["profile"]["operators"] = [dataclasses.asdict(op) for op in one.profile.operators]
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
                **_named(comparison.measurement),
                "baseline": _named(comparison.baseline),
                "rounds": comparison.ratio.rounds,
                "ratio": comparison.ratio.median,
                "low": comparison.ratio.low,
                "high": comparison.ratio.high,
            }
            for comparison in comparisons(benchmark.measurements)
        ],
    }
