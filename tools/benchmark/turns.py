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


def warm_up(runner: Runner, limits: Limits, clock: Callable[[], float]) -> float:
    """Runs `limits.warmup` times, or for `limits.maximum` seconds; returns the last run's seconds.

    Raises:
      cli.UserError: a run fails.
    """
    deadline = clock() + limits.maximum
    [seconds] = runner.turn(0, 1)
    left = limits.warmup - 1
    while left > 0 and clock() < deadline:
        count = runs_in_turn(seconds, left * _LEAST_ROUNDS)
        [seconds] = runner.turn(count - 1, 1)
        left -= count
    return seconds


class _Turns:
    """The turns of a runner; there may be millions, so nothing goes through all of them."""

    def __init__(self, runner: Runner, size: int) -> None:
        self._runner, self._size = runner, size
        self._runs, self._seconds = 0, 0.0
        self.rounds: list[list[float]] = []

    def add(self) -> None:
        # An untimed run refills the processor's caches; in a long run that does not matter.
        times = self._runner.turn(1 if self._size > 1 else 0, self._size)
        self.rounds.append(times)
        self._runs += len(times)
        self._seconds += sum(times)

    def part(self, limits: Limits) -> float:
        """Returns which part of the minimums is done, from 0 to 1."""
        part = min(self._runs / limits.runs, 1.0)
        return min(part, self._seconds / limits.seconds) if limits.seconds else part


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
    maximum = limits.maximum * len(runners)
    turns = [
        _Turns(runner, runs_in_turn(warm_up(runner, limits, clock), limits.runs))
        for runner in runners
    ]
    done = 0.0
    while True:
        for each in turns:
            each.add()
            done = min(each.part(limits) for each in turns)
            report_progress(min(max(done, (clock() - begun) / maximum), 1.0))
        if done >= 1 or clock() - begun >= maximum:
            return [each.rounds for each in turns]
