"""Compares both MobileBERTs with those that MLPerf Mobile ships."""

import sys

import numpy as np
from absl.testing import absltest

from tests.models import models
from tests.models.mobilebert import question_answering
from tests.models.mobilebert.question_answering import LENGTH

FLOAT, INT8 = sys.argv[1:3]

_OPERATORS = {
    # 15 in each of 24 layers, the embeddings' and the heads'.
    "FULLY_CONNECTED": 15 * 24 + 2,
    "BATCH_MATMUL": 2 * 24,
    "SOFTMAX": 24,
    "GATHER": 2,
    "UNPACK": 1,
}


class StructureTest(absltest.TestCase):
    def _check(self, path: str, size: float):
        structure = models.structure(path)
        self.assertAlmostEqual(structure.size / size, 1, delta=0.03)
        self.assertEqual({name: structure.operators.get(name) for name in _OPERATORS}, _OPERATORS)
        self.assertStartsWith(structure.description, "seeded weights (synthetic, seed 20200602)")
        interpreter = question_answering.QuestionAnswering(path).interpreter
        for details, names, dtype in (
            (
                interpreter.get_input_details(),
                ["input_ids", "input_mask", "segment_ids"],
                np.int32,
            ),
            (interpreter.get_output_details(), ["end_logits", "start_logits"], np.float32),
        ):
            ends = [(d["name"], list(d["shape"]), d["dtype"]) for d in details]
            self.assertEqual(ends, [(name, [1, LENGTH], dtype) for name in names])
        return structure

    def test_float_model(self):
        structure = self._check(FLOAT, 97.7e6)
        self.assertNotIn("QUANTIZE", structure.operators)

    def test_int8_model(self):
        structure = self._check(INT8, 24.7e6)
        # The mask is cast from integers and quantized; both logits are dequantized.
        self.assertEqual(
            [structure.operators.get(name) for name in ("CAST", "QUANTIZE", "DEQUANTIZE")],
            [1, 1, 2],
        )


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
