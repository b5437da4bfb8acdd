import math
import random
import time

from absl.testing import absltest, parameterized

from reproducible_tflite.benchmark import latency_statistics, turns


class StatisticsTest(parameterized.TestCase):
    @parameterized.parameters(
        ([5.0], 0.99, 5.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        (list(range(1, 101)), 0.9, 90),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 31)), 0.99, 30),
        ([1.0, 2.0], 0.001, 1.0),
    )
    def test_a_percentile_is_one_of_the_values(self, values, fraction, expected):
        self.assertEqual(latency_statistics.percentile(values, fraction), expected)

    def test_summary(self):
        summary = latency_statistics.summarize([4.0, 1.0, 2.0, 3.0])
        self.assertEqual(summary, latency_statistics.Summary(4, 1.0, 2.5, 2.5, 4.0, 4.0, 4.0))

    @parameterized.parameters((5, None), (6, 1), (8, 1), (9, 2), (20, 6), (100, 40))
    def test_which_order_statistics_enclose_the_median(self, count, rank):
        # The ranks of the sign test's tables.
        interval = latency_statistics.median_interval(list(range(1, count + 1)))
        self.assertEqual(interval, rank and (rank, count + 1 - rank))

    def test_the_ranks_are_those_of_exact_sums(self):
        for count in range(6, 400):
            below, rank = 0, 0
            while 40 * (below + math.comb(count, rank)) <= 2**count:
                below += math.comb(count, rank)
                rank += 1
            interval = latency_statistics.median_interval(range(1, count + 1))
            self.assertEqual(interval, (rank, count + 1 - rank))

    def test_many_values_take_no_longer_each(self):
        begun = time.process_time()
        low, high = latency_statistics.median_interval(range(1, 100_001))
        self.assertLess(time.process_time() - begun, 10)
        # 50,000 -/+ 1.96 standard deviations of B(100,000, 1/2), which is 158.1.
        self.assertAlmostEqual(low, 50_000 - 309.9, delta=1.5)
        self.assertEqual(low + high, 100_001)

    def test_the_interval_contains_the_median_as_often_as_it_says(self):
        generator = random.Random(1)
        hits = 0
        for _ in range(2000):
            # Skewed, as times are: the median of exp(gauss) is 1.
            values = [math.exp(generator.gauss(0, 1)) for _ in range(12)]
            low, high = latency_statistics.median_interval(values)
            hits += low <= 1 <= high
        self.assertBetween(hits / 2000, 0.95, 0.98)

    def test_drift_that_affects_both_cancels(self):
        drift = [1.0, 5.0, 2.0, 9.0, 1.0, 3.0]
        baseline = [[d, 2 * d, d] for d in drift]
        slower = [[3 * d, 3 * d, 4 * d] for d in drift]
        ratio = latency_statistics.compare(slower, baseline)
        self.assertEqual(ratio, latency_statistics.Ratio(6, 3.0, 3.0, 3.0))

    def test_too_few_rounds_have_no_interval(self):
        ratio = latency_statistics.compare([[2.0]] * 5, [[1.0]] * 5)
        self.assertEqual(ratio, latency_statistics.Ratio(5, 2.0, None, None))


class _Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class _Runner:
    """Always takes the same time, and logs its turns."""

    def __init__(self, name, seconds, clock, log):
        self.name, self.seconds, self.clock, self.log = name, seconds, clock, log

    def turn(self, untimed, timed):
        self.log.append((self.name, untimed, timed))
        self.clock.now += (untimed + timed) * self.seconds
        return [self.seconds] * timed


class TurnsTest(parameterized.TestCase):
    def _measure(self, takes, **limits):
        self.clock, self.log, self.progress = _Clock(), [], []
        runners = [_Runner(name, s, self.clock, self.log) for name, s in takes.items()]
        return turns.measure(runners, turns.Limits(**limits), self.clock, self.progress.append)

    def test_all_run_in_turn_after_their_warm_up(self):
        rounds = self._measure({"a": 1.0, "b": 2.0}, runs=12, seconds=0, maximum=1000, warmup=3)
        self.assertEqual(self.log[:6], [("a", 0, 1)] * 3 + [("b", 0, 1)] * 3)
        self.assertEqual(self.log[6:], [("a", 0, 1), ("b", 0, 1)] * 12)
        self.assertEqual(rounds, [[[1.0]] * 12, [[2.0]] * 12])

    def test_short_runs_share_a_turn_after_an_untimed_one(self):
        rounds = self._measure({"a": 0.001, "b": 9.0}, runs=50, seconds=0, maximum=1e6, warmup=1)
        self.assertEqual(self.log[2:4], [("a", 1, 5), ("b", 0, 1)])
        self.assertEqual([len(turn) for turn in rounds], [50, 50])

    def test_a_short_run_is_warmed_up_in_few_turns(self):
        self._measure({"a": 0.001}, runs=10, seconds=0, maximum=1000, warmup=205)
        self.assertEqual(self.log[:4], [("a", 0, 1), ("a", 99, 1), ("a", 99, 1), ("a", 3, 1)])

    def test_a_long_warm_up_ends_when_the_time_is_up(self):
        self._measure({"a": 0.001}, runs=10, seconds=0, maximum=20, warmup=10**9)
        self.assertBetween(self.clock.now, 20, 21)

    def test_many_turns_take_no_longer_each(self):
        begun = time.process_time()
        [rounds] = self._measure({"a": 1e-5}, runs=1, seconds=1.0, maximum=1e9, warmup=1)
        self.assertGreaterEqual(len(rounds), 100_000)
        # 12 seconds for 8,000 turns when each went through all before it.
        self.assertLess(time.process_time() - begun, 60)

    def test_it_goes_on_until_the_seconds_are_full(self):
        [rounds] = self._measure({"a": 0.5}, runs=2, seconds=10, maximum=1000, warmup=1)
        self.assertEqual(len(rounds), 20)

    def test_it_ends_when_the_time_is_up_with_as_many_rounds_for_each(self):
        rounds = self._measure({"a": 1.0, "b": 9.0}, runs=100, seconds=0, maximum=20, warmup=1)
        # 10 seconds of warm-up, then 10 a round.
        self.assertEqual([len(turn) for turn in rounds], [3, 3])

    def test_it_reports_progress(self):
        self._measure({"a": 1.0, "b": 2.0}, runs=10, seconds=0, maximum=1000, warmup=1)
        self.assertEqual(self.progress, sorted(self.progress))
        self.assertEqual(self.progress[-1], 1.0)
        self.assertLess(self.progress[0], 0.2)

    @parameterized.parameters((0.01, 30, 3), (0.01, 200, 10), (5.0, 30, 1), (0.0, 5, 1))
    def test_runs_in_a_turn(self, seconds, runs, expected):
        self.assertEqual(turns.runs_in_turn(seconds, runs), expected)


if __name__ == "__main__":
    absltest.main()
