"""Measures several things in turn (A B A B ...), so that a busy machine slows all of them alike."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Protocol

# The aim for a turn's length: long compared with a process switch, short compared with what a
# machine's other users do.
_TURN_SECONDS = 0.1
# The minimum for short measurements: fewer than 6 rounds have no confidence interval.
_LEAST_ROUNDS = 10


@dataclasses.dataclass(frozen=True)
class Limits:
    """How many runs to time, and for how long.

    Attributes:
      runs: the minimum number of timed runs of each runner.
      seconds: the minimum total time of each runner's timed runs.
      maximum: seconds per runner after which no new round begins, whatever the minimums.
      warmup: the number of untimed runs of each runner before, at least 1.
    """

    runs: int
    seconds: float
    maximum: float
    warmup: int


class Runner(Protocol):
    """What can be measured, such as `worker.Worker`."""

    def turn(self, untimed: int, timed: int) -> list[float]:
        """Runs `untimed` plus `timed` times and returns the seconds of each timed run."""


def runs_in_turn(seconds: float, runs: int) -> int:
    """Returns the number of runs in a turn.

    Args:
      seconds: how long a run takes.
      runs: how many runs are wanted in all.
    """
    wanted = math.ceil(_TURN_SECONDS / max(seconds, 1e-6))
    return max(1, min(wanted, runs // _LEAST_ROUNDS))


def _is_enough(rounds: Sequence[Sequence[float]], limits: Limits) -> bool:
    times = [seconds for turn in rounds for seconds in turn]
    return len(times) >= limits.runs and sum(times) >= limits.seconds


def measure(
    runners: Sequence[Runner],
    limits: Limits,
    clock: Callable[[], float],
    report_progress: Callable[[float], None],
) -> list[list[list[float]]]:
    """Runs all in turn, the same number of rounds each, until the limits are met.

    Args:
      runners: what is run.
      limits: how many runs, and for how long.
      clock: returns the present time in seconds.
      report_progress: called after each turn with the part that is done, from 0 to 1.

    Returns:
      For each runner, for each round, the seconds of its timed runs.

    Raises:
      cli.UserError: a run fails.
    """
    begun = clock()
    sizes = [runs_in_turn(runner.turn(limits.warmup - 1, 1)[0], limits.runs) for runner in runners]
    rounds: list[list[list[float]]] = [[] for _ in runners]
    maximum = limits.maximum * len(runners)
    while True:
        for index, (runner, size) in enumerate(zip(runners, sizes, strict=True)):
            # An untimed run refills the processor's caches; in a long run that does not matter.
            rounds[index].append(runner.turn(1 if size > 1 else 0, size))
            report_progress(_part(rounds, limits, (clock() - begun) / maximum))
        enough = all(_is_enough(turns, limits) for turns in rounds)
        if enough or clock() - begun >= maximum:
            return rounds


def _part(rounds: Sequence[Sequence[Sequence[float]]], limits: Limits, spent: float) -> float:
    parts = []
    for turns in rounds:
        times = [seconds for turn in turns for seconds in turn]
        part = min(len(times) / limits.runs, 1.0)
        if limits.seconds:
            part = min(part, sum(times) / limits.seconds)
        parts.append(part)
    return min(max(min(parts), spent), 1.0)
