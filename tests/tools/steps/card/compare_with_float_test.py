import json
import pathlib
import subprocess
import sys

import numpy as np
from absl.testing import absltest
from PIL import Image

from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.steps.card import comparison
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models

_PROGRAM = sys.argv.pop(1)
_Op = tflite.BuiltinOperator


def _sum(kind: str = "float", size: int = 4) -> bytes:
    """Returns a model of x + x: in floating point, or in integers whose range ends at 1."""
    maker = models.Maker()
    quantized = kind == "integer"
    element = tflite.TensorType.INT8 if quantized else tflite.TensorType.FLOAT32
    ends = [maker.tensor(name, [1, size, size, 3], kind=element) for name in ("x", "y")]
    if quantized:
        maker.graph.tensors[ends[0]].quantization = networks.quantization([1 / 127], [0])
        maker.graph.tensors[ends[1]].quantization = networks.quantization([1 / 255], [-128])
    operator = maker.operator(_Op.ADD, [ends[0], ends[0]], [ends[1]])
    operator.builtinOptionsType = tflite.BuiltinOptions.AddOptions
    operator.builtinOptions = tflite.AddOptionsT()
    maker.graph.inputs = np.array(ends[:1], np.int32)
    maker.graph.outputs = np.array(ends[1:], np.int32)
    return models.pack(maker.model)


class CompareWithFloatTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _photograph(self) -> str:
        pixels = np.zeros((4, 4, 3), np.uint8)
        pixels[:2] = 255
        path = self.folder / "half.png"
        Image.fromarray(pixels).save(path)
        return str(path)

    def _compared(self, model: bytes, sibling: bytes, preprocessing: str = "zero_to_one"):
        sources = ("model", "sibling")
        return comparison.document(model, sibling, sources, preprocessing, [self._photograph()])

    def test_clipped_values_and_errors(self):
        document = self._compared(_sum("integer"), _sum())
        self.assertIsNone(document["reason"])
        (output,) = document["outputs"]
        # Half of the pixels are 2, beyond the integers' end at 1. The others are 0, at the end that
        # stands for 0.0 and is not counted.
        self.assertEqual(document["clipped"], {"1": 0.5})
        self.assertEqual(output["range"], [0.0, 2.0])
        (row,) = output["photographs"]
        self.assertEqual((row["largest"], row["equal"], row["decibels"]), (1.0, 0.5, 6.0))

    def test_equal_models(self):
        (row,) = self._compared(_sum(), _sum())["outputs"][0]["photographs"]
        self.assertEqual((row["largest"], row["equal"], row["decibels"]), (0.0, 1.0, 120.0))

    def test_models_that_cannot_be_compared_have_a_reason(self):
        self.assertIn("tokens", self._compared(_sum(), _sum(), "tokens")["reason"])
        self.assertIn("not declared", self._compared(_sum(), _sum(), "")["reason"])
        self.assertIn("different shapes", self._compared(_sum(), _sum(size=8))["reason"])

    def _run(self, model: bytes) -> subprocess.CompletedProcess[str]:
        (self.folder / "model").write_bytes(model)
        (self.folder / "sibling").write_bytes(_sum())
        return subprocess.run(
            [
                _PROGRAM,
                f"--model={self.folder / 'model'}",
                f"--float_model={self.folder / 'sibling'}",
                "--float_name=sibling",
                "--preprocessing=zero_to_one",
                f"--photographs={self._photograph()}",
                f"--output={self.folder / 'document.json'}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    def test_the_program(self):
        result = self._run(_sum("integer"))
        self.assertEqual(result.returncode, 0, result.stderr)
        document = json.loads((self.folder / "document.json").read_text(encoding="utf-8"))
        expected = self._compared(_sum("integer"), _sum())
        self.assertEqual(document, {"float_model": "sibling", **expected})

    def test_a_damaged_model(self):
        result = self._run(_sum()[:40])
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.count("ERROR:"), 1, result.stderr)
        self.assertFalse((self.folder / "document.json").exists())

    def test_detections_are_compared_before_they_are_sorted(self):
        model = reader.read(models.pack(models.detector()), "x")
        ends = tasks.ends(model)
        (operator,) = [
            op for op in model.subgraphs[0].operators if op.name.startswith("TFLite_Detection")
        ]
        self.assertEqual([end.index for end in ends], list(operator.inputs[:2]))

    def test_three_digits(self):
        self.assertEqual(comparison.rounded(0.123456), 0.123)
        self.assertEqual(comparison.rounded(0.0), 0.0)


if __name__ == "__main__":
    absltest.main()
