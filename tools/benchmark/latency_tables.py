"""Shows a benchmark as tables for a terminal of at least 80 columns."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from reproducible_tflite.benchmark import latency_statistics
from reproducible_tflite.benchmark.machine import Machine
from reproducible_tflite.benchmark.measurement import (
    Benchmark,
    BenchmarkedModel,
    Comparison,
    Measurement,
    Profile,
)
from reproducible_tflite.lib.cli.printable import printable

_FEW_RUNS = 100


def milliseconds(seconds: float | None) -> str:
    """Returns a time in milliseconds with at least three significant digits; "-" for none."""
    if seconds is None:
        return "-"
    value = seconds * 1e3
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def megabytes(size: int | None) -> str:
    """Returns a size in megabytes (10**6 bytes); "-" for none."""
    return "-" if size is None else f"{size / 1e6:.1f}"


def ratio_text(value: float | None) -> str:
    """Returns a ratio with at least three significant digits; "-" for none."""
    if value is None:
        return "-"
    magnitude = math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:.{max(2 - magnitude, 0)}f}"


def _table(title: str, texts: Sequence[str], figures: Sequence[str]) -> Table:
    """Returns a table of columns of texts, which fold, then of figures."""
    table = Table(title=title)
    for column in texts:
        table.add_column(column, overflow="fold")
    for column in figures:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _columns(percentiles: bool) -> tuple[str, ...]:
    times = ("median", "p90", "p99") if percentiles else ("mean", "min", "max")
    return (*times, "load", "first", "memory", "runs")


def _cells(row: Measurement, percentiles: bool) -> list[str]:
    of = row.times
    times = (of.median, of.p90, of.p99) if percentiles else (of.mean, of.minimum, of.maximum)
    cells = [milliseconds(time) for time in (*times, row.loaded, row.first)]
    return [*cells, megabytes(row.memory), str(of.runs)]


def _of_all(benchmark: Benchmark, percentiles: bool) -> Table:
    """Returns a table of all models in their one configuration."""
    configuration = benchmark.measurements[0].configuration
    columns = ("size", *_columns(percentiles))
    table = _table(f"Milliseconds and MB: {configuration}", ["model"], columns)
    for model, row in zip(benchmark.models, benchmark.measurements, strict=True):
        table.add_row(printable(model.name), megabytes(model.size), *_cells(row, percentiles))
    return table


def _of_model(model: BenchmarkedModel, rows: Sequence[Measurement], percentiles: bool) -> Table:
    """Returns a table of one model in its configurations."""
    title = f"{printable(model.name)}, {megabytes(model.size)} MB: milliseconds and MB"
    table = _table(title, [], ("threads", "XNNPACK", *_columns(percentiles)))
    for row in rows:
        configuration = row.configuration
        switch = "on" if configuration.xnnpack else "off"
        table.add_row(str(configuration.threads), switch, *_cells(row, percentiles))
    return table


def _latency(benchmark: Benchmark) -> list[Table]:
    """Returns one table if there is one configuration, else one for each model."""
    measurements = benchmark.measurements
    percentiles = any(row.times.median is not None for row in measurements)
    if len({row.configuration for row in measurements}) == 1:
        return [_of_all(benchmark, percentiles)]
    return [
        _of_model(model, [row for row in measurements if row.model == model.name], percentiles)
        for model in benchmark.models
    ]


def _baseline_name(comparison: Comparison) -> str:
    compared, baseline = comparison.measurement, comparison.baseline
    return str(baseline.configuration) if compared.model == baseline.model else baseline.model


def _ratios(comparisons: Sequence[Comparison]) -> Table:
    percent = f"{latency_statistics.CONFIDENCE:.0%}"
    table = Table(title="Time against a baseline, measured in turn: below 1 is faster")
    table.add_column("model", overflow="fold")
    table.add_column("configuration")
    table.add_column("against", overflow="fold")
    table.add_column("ratio", justify="right")
    table.add_column(f"{percent} interval", justify="right")
    previous = ""
    for comparison in comparisons:
        model, ratio = comparison.measurement.model, comparison.ratio
        interval = (
            f"too few ({ratio.rounds})"
            if ratio.low is None
            else f"{ratio_text(ratio.low)} to {ratio_text(ratio.high)}"
        )
        if previous and model != previous:
            table.add_section()
        table.add_row(
            printable(model) if model != previous else "",
            str(comparison.measurement.configuration),
            printable(_baseline_name(comparison)),
            ratio_text(ratio.median),
            interval,
        )
        previous = model
    return table


def _share(seconds: float, profile: Profile) -> str:
    return f"{seconds / profile.total:.1%}" if profile.total else "-"


def _slowest(title: str, profile: Profile, count: int) -> Table:
    table = Table(title=f"{title}: the slowest operators")
    table.add_column("place", justify="right")
    table.add_column("operator", overflow="fold")
    # XNNPACK does not report what its operators write.
    shows_where = any(operator.where for operator in profile.operators)
    if shows_where:
        table.add_column("writes", overflow="fold")
    for column in ("ms", "share"):
        table.add_column(column, justify="right", no_wrap=True)

    def add(place: str, name: str, where: str, seconds: float) -> None:
        places = [printable(where)] if shows_where else []
        cells = (milliseconds(seconds), _share(seconds, profile))
        table.add_row(place, printable(name), *places, *cells)

    numbered = sorted(enumerate(profile.operators), key=lambda item: -item[1].seconds)
    for place, operator in numbered[:count]:
        add(str(place), operator.name, operator.where, operator.seconds)
    rest = numbered[count:]
    if rest:
        add("", f"{len(rest)} others", "", sum(operator.seconds for _, operator in rest))
    return table


def _by_name(title: str, profile: Profile) -> Table:
    table = _table(f"{title}: kinds of operators", ["operator"], ["count", "ms", "share"])
    times: dict[str, list[float]] = {}
    for operator in profile.operators:
        times.setdefault(operator.name, []).append(operator.seconds)
    for name, seconds in sorted(times.items(), key=lambda item: -sum(item[1])):
        total = sum(seconds)
        table.add_row(
            printable(name), str(len(seconds)), milliseconds(total), _share(total, profile)
        )
    return table


def _machine_note(machine: Machine | None) -> str:
    if machine is None:
        return "; what else ran there is unknown."
    return (
        f": {machine.processors} processors, {machine.processor}. Its load average was"
        f" {machine.load_before:.1f} before and {machine.load_after:.1f} after. Other processes"
        f" used {machine.others:.0%} of the processors; on a busy machine, trust the ratios, not"
        " the absolute times."
    )


def notes(benchmark: Benchmark) -> list[str]:
    """Returns the notes that explain the tables."""
    texts = [f"Run by {benchmark.place}{_machine_note(benchmark.machine)}"]
    measurements = benchmark.measurements
    if len(measurements) > 1:
        texts.append(
            "A ratio is the median over rounds in which all ran in turn. Its interval comes from"
            " order statistics and contains the true median in at least"
            f" {latency_statistics.CONFIDENCE:.0%} of cases if the rounds are independent."
        )
    if any(row.times.p99 is not None and row.times.runs < _FEW_RUNS for row in measurements):
        texts.append(f"With fewer than {_FEW_RUNS} runs, p99 is the slowest run.")
    texts.append("load: preparing the model, without reading the file; first: its first run.")
    if any(row.inputs for row in measurements):
        texts.append(
            "Memory is the largest resident set of the model's own process, minus what it had"
            " before: Python, TensorFlow's libraries and the file."
        )
        inputs = {row.model: ", ".join(row.inputs) for row in measurements if row.inputs}
        kinds_of = "; ".join(f"{model}: {kinds}" for model, kinds in inputs.items())
        texts.append(f"Inputs: {kinds_of}.")
    return texts


def show(console: Console, benchmark: Benchmark, operators: int) -> None:
    """Prints the tables, with the slowest `operators` of each profile."""
    for table in _latency(benchmark):
        console.print(table)
    if benchmark.comparisons:
        console.print(_ratios(benchmark.comparisons))
    for row in benchmark.measurements:
        if row.profile:
            title = f"{printable(row.model)}, {row.configuration}"
            console.print(_slowest(title, row.profile, operators))
            console.print(_by_name(title, row.profile))
            console.print(
                f"The operators' times add up to {row.profile.explained:.1%} of the"
                f" {milliseconds(row.profile.whole)} ms that a run took while they were timed."
            )
    for note in notes(benchmark):
        console.print(printable(note))
