"""Files that differ in the last bits of folded batch norms alone."""

import json

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.meaning import networks
from tests.tools.lib.meaning.compared import compare
from tests.tools.lib.tflite_file import models

_Op = tflite.BuiltinOperator


def _layer(bias: np.ndarray, code: int = _Op.FULLY_CONNECTED, units: int = 0) -> tflite.ModelT:
    """Returns a layer whose weights are so many units in the last place above 1.5."""
    maker = models.Maker()
    x, y = maker.tensor("x", [1, 4]), maker.tensor("y", [1, len(bias)])
    ones = np.full([len(bias), 4], 1.5 + units * 2.0**-23, np.float32)
    weights = maker.tensor("weights", [*ones.shape], ones)
    operator = maker.operator(code, [x, weights, maker.tensor("bias", [len(bias)], bias)], [y])
    if code == _Op.FULLY_CONNECTED:
        operator.builtinOptionsType = tflite.BuiltinOptions.FullyConnectedOptions
        operator.builtinOptions = tflite.FullyConnectedOptionsT()
    maker.graph.inputs, maker.graph.outputs = np.array([x], "i4"), np.array([y], "i4")
    return maker.model


_BIAS = np.float32([4, 1e-6])


class RoundingTest(parameterized.TestCase):
    def test_weights(self):
        compared = compare(_layer(_BIAS), _layer(_BIAS, units=8))
        self.assertEqual(compared.verdict, comparison.SAME_BUT_FOR_ROUNDING)
        self.assertIn(
            "\nsame but for rounding (8 values differ, weights by at most 8 ulp, biases by at most"
            " 0 ulp of the layer's largest): weights (1)\n",
            compared.text(),
        )
        self.assertEqual(
            json.loads(compared.to_json())["rounding"],
            {"values": 8, "weights": 8, "biases": 0.0},
        )

    def test_a_bias_that_is_a_small_difference_of_large_numbers(self):
        other = _BIAS + np.float32([0, 2.0**-20])
        compared = compare(_layer(_BIAS), _layer(other))
        self.assertEqual(compared.verdict, comparison.SAME_BUT_FOR_ROUNDING)
        rounding = json.loads(compared.to_json())["rounding"]
        self.assertEqual((rounding["values"], rounding["weights"]), (1, 0))
        # 2**-20 in units of 2**-21, those of 4.
        self.assertAlmostEqual(rounding["biases"], 2, places=3)

    @parameterized.named_parameters(
        ("weights_too_far_apart", _layer(_BIAS, units=9), comparison.SAME_GRAPH),
        (
            "a_bias_too_far_apart",
            _layer(_BIAS + np.float32([0, 9 * 2.0**-21])),
            comparison.SAME_GRAPH,
        ),
        (
            "no_number",
            _layer(_BIAS * np.float32([np.nan, 1]), units=1),
            comparison.SAME_GRAPH,
        ),
        ("another_output", networks.heads(), comparison.DIFFERENT),
    )
    def test_different(self, other, verdict):
        compared = compare(_layer(_BIAS), other)
        self.assertEqual(compared.verdict, verdict)
        self.assertNotIn("rounding", json.loads(compared.to_json()))

    def test_constants_of_other_operators(self):
        pair = [_layer(_BIAS, _Op.DIV, units) for units in (0, 1)]
        self.assertEqual(compare(*pair).verdict, comparison.SAME_GRAPH)

    def test_something_else_differs_too(self):
        other = _layer(_BIAS, units=1)
        operator = other.subgraphs[0].operators[0]
        operator.builtinOptions.fusedActivationFunction = tflite.ActivationFunctionType.RELU
        self.assertEqual(compare(_layer(_BIAS), other).verdict, comparison.DIFFERENT)


if __name__ == "__main__":
    absltest.main()
