import dataclasses
import math

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.quantization_error import layer_errors, pairing
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.quantization_error import siblings
from tests.tools.lib.tflite_file import models


def _pairs(left: bytes, right: bytes) -> list[pairing.Pair]:
    return pairing.pair_tensors(reader.read(left, "left"), reader.read(right, "right"))


def _named(pairs: list[pairing.Pair]) -> list[tuple[str, str, str]]:
    return [(pair.left.name, pair.right.name, pair.by) for pair in pairs]


class PairingTest(absltest.TestCase):
    def test_by_names_that_survived(self):
        self.assertEqual(
            _named(_pairs(siblings.floats(), siblings.integers())),
            [("first", "first", "name"), ("second", "second;first", "name")],
        )

    def test_by_structure_where_no_name_did(self):
        self.assertEqual(
            _named(_pairs(siblings.floats(), siblings.integers(("a", "b")))),
            [("first", "a", "structure"), ("second", "b", "structure")],
        )

    def test_equal_names_with_different_shapes_are_not_paired(self):
        self.assertEqual(_pairs(siblings.floats([1, 2, 2, 3]), siblings.integers()), [])

    def test_a_name_that_occurs_twice_is_not_used(self):
        pairs = _pairs(siblings.floats(), siblings.integers(("second;a", "second;b")))
        self.assertEqual({pair.by for pair in pairs}, {"structure"})

    def test_conversions_and_custom_operators_are_not_layers(self):
        for content, count in ((siblings.integers(), 2), (models.pack(models.detector()), 0)):
            graph = reader.read(content, "x").subgraphs[0]
            self.assertLen(pairing.computed(graph), count)

    def test_only_layers_count_as_unpaired(self):
        graph = reader.read(siblings.dense(True), "x").subgraphs[0]
        # Of these three tensors, only the first is a layer.
        result, x, y = *graph.outputs, *graph.inputs
        self.assertEqual(pairing.unpaired(graph, [result, x, y]), 1)
        self.assertEqual(pairing.unpaired(graph, []), 2)

    def test_layers_after_widened_weights(self):
        content = models.pack(models.layered())
        model = models.unpack(content)
        for number, tensor in enumerate(model.subgraphs[0].tensors):
            tensor.name = f"other {number}"
        pairs = _pairs(content, models.pack(model))
        self.assertTrue(all(pair.left.index == pair.right.index for pair in pairs))
        self.assertEqual(
            [pair.operator.name for pair in pairs],
            ["FULLY_CONNECTED", "FULLY_CONNECTED", "FULLY_CONNECTED", "ADD", "NEG"],
        )


class LayerErrorsTest(absltest.TestCase):
    def _pair(self, scale: float = 1.0, zero_point: int = 0) -> pairing.Pair:
        """Returns a pair whose quantized tensor is uint8."""
        (pair, _) = _pairs(siblings.floats(), siblings.integers())
        quantization = dataclasses.replace(
            pair.right.quantization,
            scale=np.array([scale], np.float32),
            zero_point=np.array([zero_point]),
        )
        right = dataclasses.replace(pair.right, quantization=quantization)
        return dataclasses.replace(pair, right=right)

    def _measured(self, *inputs: tuple[list[float], list[int]], scale: float = 1.0, zero: int = 0):
        measurement = layer_errors.Measurement(7, self._pair(scale, zero))
        for expected, stored in inputs:
            measurement.add(np.array(expected, np.float32), np.array(stored, np.uint8))
        return measurement.result()

    def test_figures(self):
        error = self._measured(([0, 1], [0, 1]), ([2, 3], [2, 5]))
        self.assertEqual((error.place, error.layer, error.operator), (7, "first", "ADD"))
        self.assertEqual((error.minimum, error.maximum, error.largest), (0, 3, 2))
        self.assertAlmostEqual(error.rms, 1.0)
        self.assertAlmostEqual(error.relative_rms, 1 / 3)
        self.assertAlmostEqual(error.rounding, 1 / math.sqrt(12) / 3)
        self.assertAlmostEqual(error.mean, 0.5)
        self.assertAlmostEqual(error.sqnr, 10 * math.log10(14 / 4))
        self.assertEqual(error.clipped, 0)

    def test_scale_and_zero_point(self):
        error = self._measured(([-1.0, 0.5], [8, 11]), scale=0.5, zero=10)
        self.assertEqual((error.rms, error.sqnr), (0, math.inf))

    def test_clipping_begins_half_a_step_beyond(self):
        error = self._measured(([-0.4, -0.6, 255.4, 255.6], [0, 0, 255, 255]))
        self.assertEqual(error.clipped, 0.5)

    def test_nan_is_the_worst(self):
        finite = self._measured(([0, 1], [0, 9]))
        broken = self._measured(([0, math.nan], [0, 1]))
        constant = self._measured(([3, 3], [3, 3]))
        order = layer_errors.worst_first([constant, finite, broken])
        self.assertEqual(
            [id(layer) for layer in order], [id(x) for x in (broken, finite, constant)]
        )
        self.assertEqual(constant.plain()["relative_rms"], "NaN")
        self.assertEqual(constant.plain()["sqnr"], "Infinity")

    def test_float_tensors_of_the_sibling_are_compared_unscaled(self):
        (pair, _) = _pairs(siblings.floats(), siblings.integers())
        right = dataclasses.replace(pair.right, dtype="FLOAT32", quantization=None)
        measurement = layer_errors.Measurement(0, dataclasses.replace(pair, right=right))
        measurement.add(np.array([1.0, 2.0]), np.array([1.0, 2.5], np.float32))
        error = measurement.result()
        self.assertEqual((error.largest, error.rounding, error.clipped), (0.5, 0, 0))

    def test_six_digits_are_kept(self):
        error = self._measured(([0, 1, 3], [0, 1, 4]))
        self.assertEqual(error.plain()["rms"], 0.57735)


class HostileTest(absltest.TestCase):
    def test_per_channel_scales_of_activations_are_ignored(self):
        model = models.unpack(siblings.integers())
        (tensor,) = [part for part in model.subgraphs[0].tensors if part.name == b"first"]
        tensor.quantization.scale = np.array([1, 2, 3], np.float32)
        tensor.quantization.zeroPoint = np.zeros(3, np.int64)
        self.assertEqual(tensor.type, tflite.TensorType.UINT8)
        (pair, _) = _pairs(siblings.floats(), models.pack(model))
        measurement = layer_errors.Measurement(0, pair)
        measurement.add(np.array([1.0]), np.array([2], np.uint8))
        self.assertEqual(measurement.result().largest, 1)


if __name__ == "__main__":
    absltest.main()
