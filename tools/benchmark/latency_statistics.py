"""Statistics of measured times: percentiles, and ratios with confidence intervals."""

import dataclasses
import math
import statistics
from collections.abc import Sequence

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Summary:
    """The times of many runs, in seconds; None where a figure is not known.

    Attributes:
      runs: how many were timed.
      minimum: the fastest run.
      mean: the average.
      median: the median.
      p90: the 90th percentile.
      p99: the 99th percentile; with fewer than 100 runs, the slowest run.
      maximum: the slowest run.
    """

    runs: int
    minimum: float
    mean: float
    median: float | None
    p90: float | None
    p99: float | None
    maximum: float


@dataclasses.dataclass(frozen=True)
class Ratio:
    """How much slower something is than a baseline that was measured in turn with it.

    Attributes:
      rounds: how many pairs there are.
      median: the median of the pairs' ratios; 2.0 takes twice as long.
      low: the lower end of the median's confidence interval; None with too few rounds.
      high: its upper end, or None.
    """

    rounds: int
    median: float
    low: float | None
    high: float | None


def percentile(values: Sequence[float], fraction: float) -> float:
    """Returns a percentile by nearest rank, so it is always one of the values.

    Args:
      values: at least one, in any order.
      fraction: above 0, up to 1.
    """
    return sorted(values)[max(math.ceil(fraction * len(values)) - 1, 0)]


def summarize(seconds: Sequence[float]) -> Summary:
    """Summarizes the seconds of at least one run."""
    return Summary(
        runs=len(seconds),
        minimum=min(seconds),
        mean=statistics.fmean(seconds),
        median=statistics.median(seconds),
        p90=percentile(seconds, 0.90),
        p99=percentile(seconds, 0.99),
        maximum=max(seconds),
    )


def median_interval(
    values: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """Returns a confidence interval of the median, from order statistics.

    Whatever the distribution, each value lies below the median with probability 1/2. So the k-th
    smallest and the k-th largest of n values enclose it with probability 1 - 2 P(B(n, 1/2) < k)
    (David and Nagaraja, "Order Statistics", 2003, section 7.1). The largest sufficient k is used.

    Args:
      values: independent values.
      confidence: the minimum probability that the interval contains the median.

    Returns:
      The lower and the upper end; None with too few values (fewer than 6 for 0.95).
    """
    count, below, rank = len(values), 0.0, 0
    for k in range(1, count // 2 + 1):
        # In logarithms, because the numbers themselves have as many digits as there are values.
        ways = math.lgamma(count + 1) - math.lgamma(k) - math.lgamma(count - k + 2)
        below += math.exp(ways - count * math.log(2))
        if 1 - 2 * below < confidence:
            break
        rank = k
    if not rank:
        return None
    ordered = sorted(values)
    return ordered[rank - 1], ordered[count - rank]


def compare(rounds: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]]) -> Ratio:
    """Compares two measurements round by round, which cancels the machine's drift.

    Args:
      rounds: the seconds of each round's runs, at least one in each.
      baseline: the same for the baseline, measured in the same rounds.
    """
    ratios = [
        statistics.median(ours) / statistics.median(theirs)
        for ours, theirs in zip(rounds, baseline, strict=True)
    ]
    low, high = median_interval(ratios) or (None, None)
    return Ratio(len(ratios), statistics.median(ratios), low, high)
