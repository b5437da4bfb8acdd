import contextlib
import io
import json
import os
import pathlib
import shlex
from unittest import mock

import jsonschema
from absl import flags
from absl.testing import absltest, flagsaver, parameterized

from reproducible_tflite.benchmark import benchmark
from reproducible_tflite.benchmark.worker import Configuration
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import model_argument
from tests.tools.benchmark import fake_adb
from tests.tools.benchmark.printed import printed
from tests.tools.lib.identity import statements
from tests.tools.lib.interpreter import networks

_SCHEMA = pathlib.Path("tools/benchmark/benchmark.schema.json")


class BenchmarkTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self._write("net.tflite", networks.doubled_sum())
        self.enter_context(
            mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": str(self.folder)})
        )

    def _write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def _main(self, *arguments, **values):
        values = {"runs": 12, "seconds": 0.0, "warmup": 1, "json": "out.json"} | values
        with flagsaver.flagsaver(**values), contextlib.redirect_stdout(io.StringIO()) as stdout:
            with contextlib.redirect_stderr(io.StringIO()):
                benchmark.main(["benchmark", *arguments])
        document = json.loads((self.folder / "out.json").read_text(encoding="utf-8"))
        jsonschema.validate(document, json.loads(_SCHEMA.read_text(encoding="utf-8")))
        return document, stdout.getvalue()

    def test_models_in_configurations(self):
        statements.write(self._write("other/net.tflite", networks.doubled_sum(length=1000)))
        document, text = self._main(
            "net.tflite", "other/net.tflite", xnnpack=["on", "off"], profile=True
        )
        self.assertEqual(
            [(model["name"], model["weights"]) for model in document["models"]],
            [("net.tflite", ""), ("other/net.tflite", "seeded")],
        )
        self.assertEqual(
            [(row["model"], row["xnnpack"]) for row in document["measurements"]],
            [(m, x) for m in ("net.tflite", "other/net.tflite") for x in (True, False)],
        )
        for row in document["measurements"]:
            self.assertGreaterEqual(row["runs"], 12)
            self.assertLessEqual(row["minimum"], row["median"])
            self.assertGreaterEqual(len(row["profile"]["operators"]), 2)
        self.assertLen(document["comparisons"], 4)
        for row in document["comparisons"]:
            self.assertBetween(row["ratio"], row["low"], row["high"])
        self.assertIn("Other processes used", text.replace("\n", " "))

    @parameterized.named_parameters(
        ("none", [], {}, "^no model is given; give labels"),
        ("twice", ["net.tflite", "net.tflite"], {}, "^net.tflite: is given twice"),
        ("missing", ["no.tflite"], {}, "no.tflite: the model cannot be read: No such file"),
        ("folder", ["."], {}, "the model cannot be read: Is a directory"),
        ("threads", ["net.tflite"], {"threads": ["0"]}, "^--threads: '0' is not a number"),
        ("many", ["net.tflite"], {"threads": ["1", "257"]}, "^--threads: '257' is not a number"),
        (
            "digits",
            ["net.tflite"],
            {"threads": ["1" * 5000]},
            "^--threads: '11111111111111111111' is",
        ),
        ("no threads", ["net.tflite"], {"threads": []}, "need at least one value each"),
        ("xnnpack", ["net.tflite"], {"xnnpack": ["yes"]}, "^--xnnpack: 'yes' is neither on nor"),
        ("phone", ["net.tflite"], {"adb": ""}, "^--adb: needs --benchmark_binary"),
        ("binary", ["net.tflite"], {"benchmark_binary": "none"}, "none: no such file"),
        ("not executable", ["net.tflite"], {"benchmark_binary": "net.tflite"}, "not executable"),
    )
    def test_mistakes(self, arguments, values, message):
        with self.assertRaisesRegex(cli.UserError, message):
            self._main(*arguments, **values)
        self.assertFalse((self.folder / "out.json").exists())

    def test_the_program_is_checked_before_a_model_is_built(self):
        with (
            mock.patch.object(model_argument, "resolve") as built,
            self.assertRaisesRegex(cli.UserError, "none: no such file"),
        ):
            self._main("//models:x", benchmark_binary="none")
        built.assert_not_called()

    def test_hostile_files(self):
        self._write("empty.tflite", b"")
        self._write("cut.tflite", networks.doubled_sum()[:-100])
        self._write("text.tflite", b"<html>not found</html>")
        self._write("unknown.tflite", networks.unknown_operator())
        for name in ("empty", "cut", "text", "unknown"):
            with self.subTest(name), self.assertRaisesRegex(cli.UserError, f"{name}.*: .*\\.$"):
                self._main(f"{name}.tflite")
        self.assertFalse((self.folder / "out.json").exists())

    def test_the_official_program_in_turn(self):
        log, text = self.folder / "log.txt", shlex.quote(printed("2_16"))
        script = f"#!/bin/sh\necho \"$@\" >> {log}\nprintf '%s' {text}\n"
        program = self._write("model", script.encode())
        os.chmod(program, 0o755)
        document, shown = self._main(
            "net.tflite", threads=["1", "2"], benchmark_binary="model", profile=True
        )
        calls = log.read_text(encoding="utf-8").splitlines()
        self.assertEqual(["_threads=2" in call for call in calls], [False, True] * 6)
        self.assertIn("--num_runs=2 ", calls[0])
        self.assertEqual(document["place"], "benchmark_model on this machine")
        self.assertEqual(document["comparisons"][0]["ratio"], 1.0)
        self.assertIn("Convolution (NHWC, QU8) IGEMM", shown)

    def test_a_phone(self):
        adb = fake_adb.FakeAdb(self.folder)
        adb.answers(
            {
                "devices": (0, "List of devices attached\nA\tdevice\n\n"),
                "*getprop*": (0, "Pixel 7\n"),
                "*--graph=*": (0, printed("2_4")),
            }
        )
        with mock.patch.dict(os.environ, {"PATH": str(self.folder)}):
            document, _ = self._main("net.tflite", benchmark_binary="net.tflite", adb="A")
        self.assertEqual(document["place"], "benchmark_model on Pixel 7 (A)")
        self.assertIsNone(document["machine"])
        self.assertIn(" rm -rf /data/local/tmp/", adb.calls()[-1])

    @parameterized.parameters(([], None), (["--adb"], ""), (["--adb=R58M"], "R58M"))
    def test_the_phone_flag_may_go_without_a_value(self, arguments, expected):
        with flagsaver.flagsaver():
            flags.FLAGS(["benchmark", *arguments, "net.tflite"])
            self.assertEqual(flags.FLAGS.adb, expected)

    def test_each_configuration_once(self):
        self.assertEqual(
            benchmark.configurations(["2", "1", "2"], ["off", "on"]),
            [Configuration(t, x) for t in (2, 1) for x in (False, True)],
        )


if __name__ == "__main__":
    absltest.main()
