import io
import json
import pathlib

import jsonschema
from absl.testing import absltest, parameterized

from reproducible_tflite.benchmark import (
    latency_tables,
    machine,
    measurement,
    official_binary,
    worker,
)
from reproducible_tflite.benchmark.measurement import Benchmark, BenchmarkedModel
from reproducible_tflite.benchmark.operator_profile import Timed
from reproducible_tflite.benchmark.worker import Configuration
from reproducible_tflite.lib.cli import cli
from tests.tools.benchmark.printed import printed

_SCHEMA = pathlib.Path("tools/benchmark/benchmark.schema.json")
_MACHINE = machine.Machine("A processor", 2, 1.25, 2.5, 0.4)
_ONE_THREAD, _TWO_THREADS = Configuration(1, True), Configuration(2, False)
_NAMES = ("mobilenet_edgetpu_224_1.0_uint8", "b[red]")


def _model(name):
    return BenchmarkedModel(name, f"//models:{name}", 4_300_000, "0" * 64, "seeded")


def _measurement(name, configuration, seconds, profile=False):
    task = worker.Task(name, "/x", "", "", configuration, profile)
    loaded = worker.Loaded(0.01234, 0.2, ("photograph",), "an interpreter", 1.0)
    timed = [
        Timed("CONV_2D", "features/" * 9 + "Relu", (0.02, 0.03, 0.04)),
        Timed("CONV_2D", "logits", (0.05, 0.06, 0.07)),
        Timed("SOFTMAX", "scores", (0.0, 0.001, 0.002)),
    ]
    profiled = (timed, [0.09, 0.1, 0.11]) if profile else None
    rounds = [[seconds, seconds * 1.5]] * 6
    return measurement.of_worker(task, loaded, rounds, 12_500_000, profiled)


def _benchmark(configurations, profile=False, names=_NAMES):
    measurements = [
        _measurement(name, configuration, 0.08 * (k + 1), profile)
        for name in names
        for k, configuration in enumerate(configurations)
    ]
    models = tuple(map(_model, names))
    return Benchmark("an interpreter on this machine", _MACHINE, models, tuple(measurements))


def _shown(benchmark, width, operators=2):
    console = cli.console(file=io.StringIO(), width=width)
    latency_tables.show(console, benchmark, operators)
    return console.file.getvalue()


class TablesTest(parameterized.TestCase):
    @parameterized.product(
        width=(80, 120),
        configurations=((_ONE_THREAD,), (_ONE_THREAD, _TWO_THREADS)),
        profile=(False, True),
    )
    def test_tables_line_up(self, width, configurations, profile):
        text = _shown(_benchmark(configurations, profile), width)
        rows, block = 0, None
        for line in text.splitlines():
            self.assertLessEqual(len(line), width)
            if line[:1] in "┏┃┡│├└" and line:
                rows += 1
                block = block or len(line)
                self.assertLen(line, block)
                # No cell is truncated.
                self.assertNotIn("…", line)
            else:
                block = None
        self.assertGreater(rows, 6)

    def test_names_from_files_are_text_and_nothing_else(self):
        text = _shown(_benchmark((_ONE_THREAD,), names=("a\x1b[2J[/b]",)), 120)
        self.assertNotIn("\x1b", text)
        self.assertIn("[/b]", text)

    def test_figures_and_notes(self):
        text = _shown(_benchmark((_ONE_THREAD, _TWO_THREADS)), 120)
        self.assertRegex(text, "│ +1 │ +on │ +100 │ 120 │ 120 │ 12.3 │ +200 │ +12.5 │ +12 │")
        self.assertRegex(text, "2 threads, XNNPACK off │ 1 thread, XNNPACK on .*│ +2.00 │ 2.00 to")
        self.assertRegex(text, "b.red.*│ 1 thread, XNNPACK on +│ mobilenet_edgetpu.*│ +1.00 │")
        self.assertRegex(text, r"was 1\.2 before and 2\.5 after\.\s+Other\s+processes\s+used 40%")
        self.assertIn("With fewer than 100 runs, p99 is the slowest run.", text)

    def test_a_profile_says_how_much_it_explains(self):
        text = _shown(_benchmark((_ONE_THREAD,), profile=True, names=("a",)), 120)
        self.assertRegex(text, "│ +1 │ CONV_2D +│ logits +│ 60.0 │ 65.9% │")
        self.assertRegex(text, "│ +│ 1 others +│ +│ 1.00 │ +1.1% │")
        self.assertRegex(text, "│ CONV_2D +│ +2 │ 90.0 │ 98.9% │")
        self.assertIn("add up to 91.0% of the 100 ms that a run took", text)
        self.assertNotIn("against", text)

    def test_the_official_program_reports_a_mean(self):
        results = [official_binary.parse(printed("2_16"), "x")] * 6
        measured = measurement.of_results("a", _ONE_THREAD, results)
        text = _shown(Benchmark("benchmark_model on b", None, (_model("a"),), (measured,)), 80)
        self.assertRegex(text, "│ a .*│ 15.3 │ 15.0 │ 16.5 │ 12.5 │ +17.0 │ +14.9 │ +66 │")
        self.assertIn("Run by benchmark_model on b; what else ran there is unknown.", text)
        self.assertIn("add up to 98.0% of the 15.3 ms", text)
        self.assertNotIn("p99", text)

    @parameterized.parameters(
        (None, "-"),
        (0.00123, "0.00123"),
        (0.5, "0.500"),
        (1.5, "1.50"),
        (12.3, "12.3"),
        (456, "456"),
    )
    def test_ratios(self, ratio, expected):
        self.assertEqual(latency_tables.ratio_text(ratio), expected)

    @parameterized.parameters(
        (None, "-"), (0.0000123, "0.012"), (0.00123, "1.23"), (0.0123, "12.3"), (6.4, "6400")
    )
    def test_milliseconds(self, seconds, expected):
        self.assertEqual(latency_tables.milliseconds(seconds), expected)


class DocumentTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
        self.validator = jsonschema.Draft202012Validator(schema)
        self.validator.check_schema(schema)

    def test_it_fits_the_published_schema(self):
        document = measurement.document(_benchmark((_ONE_THREAD, _TWO_THREADS), profile=True))
        self.validator.validate(json.loads(json.dumps(document)))
        self.assertLen(document["measurements"], 4)
        self.assertEqual(
            [(row["model"], row["threads"]) for row in document["comparisons"]],
            [(_NAMES[0], 2), (_NAMES[1], 1), (_NAMES[1], 2), (_NAMES[1], 2)],
        )
        self.assertEqual(
            document["comparisons"][0]["baseline"],
            {"model": _NAMES[0], "threads": 1, "xnnpack": True},
        )

    def test_so_does_that_of_a_phone(self):
        results = [official_binary.parse(printed("2_4"), "x")]
        measured = measurement.of_results("a", _ONE_THREAD, results)
        document = measurement.document(Benchmark("b", None, (_model("a"),), (measured,)))
        self.validator.validate(json.loads(json.dumps(document)))
        self.assertIsNone(document["measurements"][0]["median"])


class MachineTest(absltest.TestCase):
    def test_waiting_is_not_work(self):
        stat = "cpu  100 20 30 1000 500 4 5 6 7 8\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
        self.assertEqual(machine.busy_seconds(stat, 100), 1.65)

    def test_what_other_processes_used(self):
        processors = machine.os.cpu_count()
        others = machine.share_of_others(busy=30.0, own=15.0, elapsed=30.0)
        self.assertAlmostEqual(others, 0.5 / processors)
        self.assertEqual(machine.share_of_others(busy=30.0, own=40.0, elapsed=30.0), 0.0)

    def test_the_processors_name(self):
        self.assertEqual(machine.processor_name("a\t: b\nmodel name\t: X 3\n"), "X 3")
        self.assertEqual(machine.processor_name(""), "unknown processor")


if __name__ == "__main__":
    absltest.main()
