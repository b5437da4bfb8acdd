"""Measures a build against the same steps run by hand: `bazel run //tools/benchmark:build`.

It uses an output root of its own, and fetches everything first. Then it alternates between two
things: the steps by hand (the same command lines with the same interpreter, one after the other,
without Bazel and without a sandbox), and a cold build with one job. At the end it times builds with
nothing to do. Machines are shared and noisy, so compare the ratios. It also prints each step's peak
memory and the longest stagings. An action's staging is its time in Bazel minus its time in the
process.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import json
import os
import pathlib
import statistics
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple

from absl import flags
from rich.console import Console
from rich.table import Table

from reproducible_tflite.benchmark import cold_build
from reproducible_tflite.lib.bazel import client, execution_log, labels
from reproducible_tflite.lib.cli import cli

_TARGETS = flags.DEFINE_list(
    "targets",
    [labels.own("//models:mobiledet"), labels.own("//models:mobiledet_qat")],
    "What to build.",
)
_ROUNDS = flags.DEFINE_integer(
    "rounds", 2, "How often to measure each.", lower_bound=1, upper_bound=1000
)
_DIRECTORY = flags.DEFINE_string(
    "directory", None, "Folder for the build, about 4 GB; a temporary one if not given."
)

_NO_OP_BUILDS = 5


class Step(NamedTuple):
    """A step run by hand: the action's name, its seconds, and its largest resident set in bytes."""

    name: str
    seconds: float
    peak: int


def staging(profile: dict) -> dict[str, float]:
    """Returns the seconds that each action spent in Bazel outside its process, by action name.

    Args:
      profile: a JSON trace profile that `bazel build --profile` wrote.
    """
    events = [event for event in profile["traceEvents"] if event.get("ph") == "X"]
    processes = [event for event in events if event["name"] == "subprocess.run"]
    seconds = {}
    for event in events:
        if event.get("cat") != "action processing":
            continue
        end = event["ts"] + event["dur"]
        inside = sum(
            process["dur"]
            for process in processes
            if process["tid"] == event["tid"] and event["ts"] <= process["ts"] < end
        )
        if inside:
            seconds[event["name"]] = (event["dur"] - inside) / 1e6
    return seconds


def run_by_hand(action: execution_log.Action, execution_root: str) -> Step:
    """Runs an action's command line unchanged.

    Args:
      action: the action; its outputs are removed first.
      execution_root: the folder to run it in.

    Raises:
      cli.UserError: the step failed.
    """
    for output in action.outputs:
        pathlib.Path(execution_root, output).unlink(missing_ok=True)
    start = time.monotonic()
    process = subprocess.Popen(
        action.arguments,
        cwd=execution_root,
        env=action.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise cli.UserError(
            f"{action.name}: failed with exit code {process.returncode} when run by hand."
        )
    # On Linux, ru_maxrss is in KiB.
    return Step(action.name, time.monotonic() - start, usage.ru_maxrss * 1024)


def report(
    console: Console, cold: Sequence[float], by_hand: Sequence[list[Step]], no_op: Sequence[float]
) -> None:
    """Prints the steps, and the ratios of the builds' seconds."""
    table = Table(title="Steps by hand")
    table.add_column("step", overflow="fold")
    table.add_column("seconds", justify="right")
    table.add_column("peak MB", justify="right")
    for runs in zip(*by_hand, strict=True):
        seconds = statistics.median(step.seconds for step in runs)
        peak = max(step.peak for step in runs) / 1e6
        table.add_row(runs[0].name, f"{seconds:.1f}", f"{peak:.0f}")
    console.print(table)
    hand = statistics.median(sum(step.seconds for step in steps) for steps in by_hand)
    bazel = statistics.median(cold)
    console.print(f"cold build / by hand: {bazel:.1f} s / {hand:.1f} s = {bazel / hand:.3f}")
    console.print(f"build with nothing to do: {statistics.median(no_op):.2f} s")


def main(argv: Sequence[str]) -> None:
    """Measures and prints."""
    del argv
    console = cli.console(width=120)
    with (
        client.output_folder(_DIRECTORY.value, "benchmark-") as directory,
        cold_build.Build(directory, _TARGETS.value) as build,
    ):
        # Writing the log takes time too, so no measured build writes it.
        build.cold_build(f"--execution_log_compact_file={build.log}")
        actions = execution_log.read(build.log).values()
        execution_root = build.bazel("info", "execution_root")
        cold, by_hand = [], []
        for _ in range(_ROUNDS.value):
            by_hand.append([run_by_hand(action, execution_root) for action in actions])
            cold.append(build.cold_build())
        no_op = [build.build() for _ in range(_NO_OP_BUILDS)]
        report(console, cold, by_hand, no_op)
        with open(build.profile, encoding="utf-8") as stream:
            slowest = sorted(staging(json.load(stream)).items(), key=lambda item: -item[1])
        for name, seconds in slowest[:5]:
            console.print(f"staging {seconds:.3f} s: {name}")


if __name__ == "__main__":
    cli.run(main)
