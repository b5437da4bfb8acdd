"""Measures a cold build of models: `bazel run //tools/benchmark:models`.

It builds once, with the machine's default number of jobs, in an output root of its own, after
everything has been fetched. It reports how long each step of each target took, how large each model
is, how much memory all running steps needed together, and how much disk the output root takes. The
seconds are those of one run on one machine.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from absl import flags
from rich.console import Console
from rich.table import Table

from reproducible_tflite.benchmark import cold_build
from reproducible_tflite.lib.bazel import client, labels, steps
from reproducible_tflite.lib.cli import cli

_TARGETS = flags.DEFINE_list("targets", [labels.own("//models:all_models")], "What to build.")
_DIRECTORY = flags.DEFINE_string(
    "directory", None, "Folder for the build, about 6 GB; a temporary one if not given."
)
_JSON = flags.DEFINE_string("json", None, "Write the figures here as JSON.")

_SAMPLE_SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class Report:
    """The figures of one cold build.

    Attributes:
      seconds: from start to end.
      peak: the largest proportional set size (PSS) of all running steps together, in bytes.
      disk: the size of the output root, with everything that was fetched, in bytes.
      steps: seconds by step, by target.
      sizes: bytes by model.
    """

    seconds: float
    peak: int
    disk: int
    steps: Mapping[str, Mapping[str, float]]
    sizes: Mapping[str, int]


def seconds_by_step(profile: dict) -> dict[str, dict[str, float]]:
    """Returns the seconds of each step of `steps.NAMES`, by target.

    Args:
      profile: a JSON trace profile that `bazel build --profile` wrote, with targets' labels.
    """
    seconds: dict[str, dict[str, float]] = {}
    for event in profile["traceEvents"]:
        if event.get("cat") != "action processing":
            continue
        label = event["args"].get("target", "")
        step = steps.name(event["args"]["mnemonic"], label)
        if step:
            row = seconds.setdefault(steps.declared(label), {})
            row[step] = row.get(step, 0.0) + event["dur"] / 1e6
    return seconds


def _descendants(parents: Mapping[int, int], root: int) -> set[int]:
    tree = {root}
    while True:
        children = {child for child, parent in parents.items() if parent in tree} - tree
        if not children:
            return tree - {root}
        tree |= children


def memory_of_steps(server: int, proc: pathlib.Path = pathlib.Path("/proc")) -> int:
    """Returns the proportional set size (PSS), in bytes, of all processes below a Bazel server.

    A page that several processes share is divided among them, as in /proc/PID/smaps_rollup.

    Args:
      server: the server's process ID.
      proc: where the kernel's file system is mounted.
    """
    parents = {}
    for stat in proc.glob("[0-9]*/stat"):
        try:
            # The program's name, in parentheses, may contain spaces.
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    total = 0
    for process in _descendants(parents, server):
        try:
            rollup = (proc / str(process) / "smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(kib) for kib in re.findall(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE))
    return total * 1024


@contextlib.contextmanager
def peak_memory(server: int) -> Iterator[Callable[[], int]]:
    """Yields a function that returns the largest `memory_of_steps` so far, watched in a thread."""
    peak, stopped = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stopped.wait(_SAMPLE_SECONDS):
            peak = max(peak, memory_of_steps(server))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: peak
    finally:
        stopped.set()
        thread.join()


def disk_of(folder: pathlib.Path) -> int:
    """Returns a folder's disk usage in bytes. Symbolic links are not followed."""
    paths = [
        pathlib.Path(path, name) for path, *names in os.walk(folder) for name in sum(names, [])
    ]
    # st_blocks is in units of 512 bytes. A file with two names counts once.
    blocks = {(status.st_dev, status.st_ino): status.st_blocks for status in map(os.lstat, paths)}
    return sum(blocks.values()) * 512


def print_report(console: Console, report: Report) -> None:
    """Prints a row for each target, with the size if it is a model, and the totals."""
    table = Table(title="One cold build: seconds of each step, size of each model")
    table.add_column("target", overflow="fold")
    for column in (*steps.NAMES, "sum", "MB"):
        table.add_column(column, justify="right")
    for target in sorted(report.steps):
        row = report.steps[target]
        cells = [f"{row[column]:.1f}" if column in row else "" for column in steps.NAMES]
        size = report.sizes.get(target.rpartition(":")[2])
        cells += [f"{sum(row.values()):.1f}", f"{size / 1e6:.2f}" if size else ""]
        table.add_row(labels.in_its_repository(target).removeprefix("//models/"), *cells)
    sums = [sum(row.get(step, 0) for row in report.steps.values()) for step in steps.NAMES]
    stepping = sum(sums)
    table.add_section()
    table.add_row("all", *(f"{seconds:.1f}" for seconds in (*sums, stepping)), "")
    console.print(table)
    console.print(
        f"{len(report.sizes)} models, {sum(report.sizes.values()) / 1e6:.0f} MB:"
        f" {report.seconds / 60:.1f} minutes, {stepping / 60:.1f} minutes of steps;"
        f" peak memory of all steps at once {report.peak / 1e9:.2f} GB;"
        f" {report.disk / 1e9:.1f} GB of disk"
    )


def measure(directory: pathlib.Path) -> Report:
    """Builds and measures.

    Raises:
      cli.UserError: the build failed.
    """
    with cold_build.Build(directory, _TARGETS.value) as build:
        build.prepare()
        with peak_memory(int(build.bazel("info", "server_pid"))) as peak:
            seconds = build.build(
                f"--profile={build.profile}", "--experimental_profile_include_target_label"
            )
        with open(build.profile, encoding="utf-8") as stream:
            seconds_of = seconds_by_step(json.load(stream))
        bin_directory = pathlib.Path(build.bazel("info", "bazel-bin"))
    sizes = {
        path.stem: path.stat().st_size
        for path in bin_directory.glob("models/**/*.tflite")
        if not path.stem.endswith(".raw")
    }
    return Report(seconds, peak(), disk_of(directory), seconds_of, sizes)


def main(argv: Sequence[str]) -> None:
    """Measures, prints a table, and writes the JSON file."""
    del argv
    cli.check_output(_JSON.value)
    with client.output_folder(_DIRECTORY.value, "benchmark-") as directory:
        report = measure(directory)
    print_report(cli.console(width=120), report)
    if _JSON.value:
        with cli.output_file(cli.callers_path(_JSON.value), "w") as stream:
            json.dump(dataclasses.asdict(report), stream, indent=2, sort_keys=True)
            stream.write("\n")


if __name__ == "__main__":
    cli.run(main)
