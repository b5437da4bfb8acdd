"""What a runtime ignores is no difference; what only a newer schema knows may be one."""

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import models


def _buffer_0(model):
    model.buffers[0].data = np.ones(4, np.uint8)


def _custom_code(model):
    model.operatorCodes[2].customCode = "SOFTMAX"


def _custom_options(model):
    model.subgraphs[0].operators[6].customOptions = np.ones(4, np.uint8)


def _no_type(model):
    model.subgraphs[0].operators[0].builtinOptions = tflite.SoftmaxOptionsT()


def _another_table(model):
    operator = model.subgraphs[0].operators[0]
    operator.builtinOptionsType = tflite.BuiltinOptions.SoftmaxOptions
    operator.builtinOptions = tflite.SoftmaxOptionsT()
    operator.builtinOptions.beta = 3.0


def _deprecated(model):
    model.signatureDefs[0] = models.WithField(model.signatureDefs[0], 3)


def _newer(slot):
    model = models.layered()
    model.subgraphs[0].tensors[0] = models.WithField(model.subgraphs[0].tensors[0], slot)
    return models.pack(model)


class IgnoredTest(parameterized.TestCase):
    @parameterized.parameters(
        _buffer_0, _custom_code, _custom_options, _no_type, _another_table, _deprecated
    )
    def test_what_a_runtime_ignores(self, change):
        model = models.layered()
        change(model)
        compared = comparison.compare(models.pack(models.layered()), models.pack(model))
        self.assertEqual(compared.verdict, comparison.SAME_CANONICAL_BYTES)
        self.assertEqual({part.kind for part in compared.differences}, {"layout"})

    def test_what_a_newer_schema_knows(self):
        for left, right, names in (
            (models.pack(models.layered()), _newer(30), (None, "Tensor field 30")),
            (_newer(30), _newer(31), ("Tensor field 30", "Tensor field 31")),
            # Equal names do not tell whether the values are equal.
            (_newer(30), _newer(30) + bytes(8), ("Tensor field 30",) * 2),
        ):
            compared = comparison.compare(left, right)
            self.assertEqual(compared.verdict, comparison.DIFFERENT)
            row = compared.differences[0]
            self.assertEqual((row.kind, (row.left, row.right)), ("newer schema", names))
        self.assertEqual(comparison.compare(left, left).verdict, comparison.SAME_BYTES)


if __name__ == "__main__":
    absltest.main()
