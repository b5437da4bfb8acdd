"""The report on the pinned TensorFlows' files for a convolution."""

import json
import pathlib
import subprocess
import sys

from absl.testing import absltest

_PROGRAM = pathlib.Path(sys.argv[1])
_VERSIONS = sys.argv[2].split(",")
_MLIR, _TOCO = "//tests/tools/steps/versions:mlir", "//tests/tools/steps/versions:toco"


class TensorflowVersionsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.summary = json.loads(_PROGRAM.with_suffix(".json").read_text())
        self.models = {report["model"]: report for report in self.summary["models"]}

    def test_every_version_has_converted_both(self):
        self.assertLen(self.summary["tensorflows"], len(_VERSIONS))
        for title, version in zip(self.summary["tensorflows"], _VERSIONS, strict=True):
            self.assertStartsWith(title, f"TensorFlow {version}")
        self.assertCountEqual(self.models, [_MLIR, _TOCO])
        for report in self.models.values():
            self.assertEqual(report["baseline"], "2.15.1")
            self.assertEqual(list(report["versions"]), _VERSIONS)
        files = [result for result in self.models[_TOCO]["versions"].values() if "bytes" in result]
        # Each file names its TensorFlow.
        self.assertLen({result["sha256"] for result in files}, len(_VERSIONS) - 1)

    def test_toco_is_the_same_where_there_is_one(self):
        results = self.models[_TOCO]["versions"]
        self.assertEqual(results["2.17.1"]["verdict"], "same bytes")
        self.assertEqual(results["2.17.1"]["differences"], {})
        self.assertEqual(results["2.21.0"], {"left_out": "it has no toco"})

    def test_mlir_means_the_same_in_all(self):
        for version in ("2.17.1", "2.21.0"):
            result = self.models[_MLIR]["versions"][version]
            self.assertIn(result["verdict"], ("same bytes", "same meaning"), version)

    def test_the_program_prints_a_table_with_a_line_for_each(self):
        table = subprocess.run([_PROGRAM], capture_output=True, text=True, check=True).stdout
        self.assertEqual(table, _PROGRAM.with_suffix(".txt").read_text())
        lines = table.splitlines()
        self.assertEqual(lines[2].split(), ["model", "converter", *_VERSIONS])
        self.assertEqual([line.split()[:2] for line in lines[3:5]], [["mlir"] * 2, ["toco"] * 2])

    def test_1_15_5(self):
        if "1.15.5" not in _VERSIONS:
            self.skipTest("the report is without it")
        self.assertEqual(self.models[_MLIR]["versions"]["1.15.5"], {"left_out": "it has no mlir"})
        result = self.models[_TOCO]["versions"]["1.15.5"]
        self.assertIn(result["verdict"], ("same bytes", "same meaning"))


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
