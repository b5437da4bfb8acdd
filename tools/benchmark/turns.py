"""Measures several things in turn (A B A B ...): what a shared machine does then hits all alike."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Protocol

# A turn lasts about so long, when there is a choice: long beside a change of processes, short
# beside what a machine's other users do.
_TURN_SECONDS = 0.1
# Even short measurements get so many rounds: fewer than 6 have no confidence interval.
_LEAST_ROUNDS = 10


@dataclasses.dataclass(frozen=True)
class Limits:
    """When it is enough.

    Attributes:
      runs: at least so many timed runs of each.
      seconds: and at least so many seconds of timed runs of each.
      maximum: no new round after so many seconds for each, whatever the others say.
      warmup: how many runs of each come before, untimed, at least 1.
    """

    runs: int
    seconds: float
    maximum: float
    warmup: int


class Runner(Protocol):
    """What can be run, as `worker.Worker`."""

    def turn(self, untimed: int, timed: int) -> list[float]:
        """Runs some times and returns the seconds of each timed run."""


def runs_in_turn(seconds: float, runs: int) -> int:
    """Returns how many runs a turn has.

    Args:
      seconds: what a run takes.
      runs: how many there shall be in all.
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
    tell: Callable[[float], None],
) -> list[list[list[float]]]:
    """Runs all in turn until each has enough, the same number of rounds for each.

    Args:
      runners: what is run.
      limits: when it is enough.
      clock: gives the present time in seconds.
      tell: is told after each turn which part of the whole is done, from 0 to 1.

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
            # Another process had the caches; beside a long run that does not count.
            rounds[index].append(runner.turn(1 if size > 1 else 0, size))
            tell(_part(rounds, limits, (clock() - begun) / maximum))
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
