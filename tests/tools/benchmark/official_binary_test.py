import os
import stat

from absl.testing import absltest, parameterized

from reproducible_tflite.benchmark import official_binary
from reproducible_tflite.benchmark.official_binary import Operator
from reproducible_tflite.benchmark.turns import Limits
from reproducible_tflite.benchmark.worker import Configuration, Task
from reproducible_tflite.lib.cli import cli
from tests.tools.benchmark.printed import printed


class ParseTest(parameterized.TestCase):
    @parameterized.parameters("2_4", "2_16")
    def test_its_output(self, version):
        result = official_binary.parse(printed(version), "x")
        self.assertAlmostEqual(result.loaded, 0.0125)
        self.assertAlmostEqual(result.first, 0.017012)
        self.assertAlmostEqual(result.mean, 0.0153005)
        self.assertAlmostEqual(result.minimum, 0.015)
        self.assertAlmostEqual(result.maximum, 0.0165)
        self.assertEqual((result.runs, result.memory), (11, round(14.25 * 1024 * 1024)))
        self.assertEqual(
            result.operators,
            (
                Operator("CONV_2D", "[Conv_0/Relu6, and more]:0", 0.009),
                Operator(
                    "Convolution (NHWC, QU8) IGEMM",
                    "Delegate/Convolution (NHWC, QU8) IGEMM:1",
                    0.0045,
                ),
                Operator("SOFTMAX", "[scores]:2", 0.0015),
            ),
        )

    def test_a_single_run(self):
        text = printed("2_4").replace(
            "count=11 first=15211 curr=15288 min=15000 max=16500 avg=15300.5 std=133",
            "count=1 curr=15300",
        )
        result = official_binary.parse(text, "x")
        self.assertEqual((result.runs, result.minimum, result.maximum), (1, 0.0153005, 0.0153005))

    def test_a_deviation_that_is_no_number(self):
        for value in ("-nan", "nan", "-inf", "-", "1e"):
            text = printed("2_4").replace("std=133", f"std={value}")
            self.assertEqual(official_binary.parse(text, "x").minimum, 0.015)

    def test_without_a_profile_and_without_memory(self):
        text = printed("2_4").partition("Note: as the benchmark")[0]
        result = official_binary.parse(text, "x")
        self.assertEqual((result.operators, result.memory, result.runs), ((), None, 11))

    @parameterized.parameters(
        ("", "nothing"),
        ("STARTING!\nERROR: Failed to mmap model /a.tflite.\n\n", "Failed to mmap model /a.tflite"),
        (printed("2_4").partition("Inference timings")[0], "count=11 .* std=133"),
        (
            "count=11 min=1\nInference timings in us: Init: 12, First inference: 17,"
            " Warmup (avg): 25, Inference (avg): -nan",
            r"Inference \(avg\): -nan",
        ),
    )
    def test_no_timings(self, text, line):
        with self.assertRaisesRegex(cli.UserError, f"^x: .* no timings; its last .*{line}\\.$"):
            official_binary.parse(text, "x")


class LocalProgramTest(absltest.TestCase):
    def _program(self, script):
        path = self.create_tempfile(content="#!/bin/sh\n" + script).full_path
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def _run(self, path):
        task = Task("x", "/a b.tflite", "", "", Configuration(2, False), profile=True)
        return official_binary.LocalProgram(path).run(task, _LIMITS)

    def test_its_flags(self):
        self.assertEqual(
            self._run(self._program('for flag; do echo "$flag"; done')).split("\n"),
            [
                "--graph=/a b.tflite",
                "--num_threads=2",
                "--use_xnnpack=false",
                "--num_runs=30",
                "--min_secs=1.5",
                "--max_secs=20",
                "--warmup_runs=3",
                "--enable_op_profiling=true",
                "",
            ],
        )

    def test_it_fails(self):
        with self.assertRaisesRegex(
            cli.UserError,
            "^x .*: benchmark_model ended with exit code 3; its last .*: no model.$",
        ):
            self._run(self._program("echo begins; echo no model. >&2; exit 3"))

    def test_it_is_for_another_processor(self):
        path = self.create_tempfile(content=b"\x7fELF\2\1\1" + bytes(57), mode="wb").full_path
        os.chmod(path, 0o755)
        with self.assertRaisesRegex(cli.UserError, "cannot be started: Exec format error"):
            self._run(path)


_LIMITS = Limits(runs=30, seconds=1.5, maximum=20.0, warmup=3)


if __name__ == "__main__":
    absltest.main()
