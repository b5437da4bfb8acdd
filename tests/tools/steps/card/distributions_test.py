import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.model import Quantization, Tensor
from reproducible_tflite.steps.card import distributions
from tests.tools.steps.card import samples

_NO_RANGE = np.zeros(0, np.float32)


def _tensor(values: np.ndarray, dtype: str, scale=(), zero_point=(), axis: int = 0) -> Tensor:
    return Tensor(
        index=0,
        name="w",
        dtype=dtype,
        shape=values.shape,
        shape_signature=values.shape,
        role="constant",
        buffer=1,
        data=np.frombuffer(values.tobytes(), np.uint8),
        is_variable=False,
        quantization=Quantization(
            scale=np.array(scale, np.float32),
            zero_point=np.array(zero_point, np.int64),
            axis=axis,
            minimum=_NO_RANGE,
            maximum=_NO_RANGE,
            details=None,
        ),
        sparsity=None,
        external=None,
        variants=(),
        has_rank=False,
    )


class DistributionsTest(parameterized.TestCase):
    def test_integers(self):
        values = np.array([[0, 255], [128, 130]], np.uint8)
        distribution = distributions.of_tensor(_tensor(values, "UINT8", [0.5], [128]))
        self.assertEqual((distribution.low, distribution.high), (-64.0, 63.5))
        self.assertEqual((distribution.zeros, distribution.clipped), (0.25, 0.5))
        self.assertEqual([distribution.bins[place] for place in (0, 16, 31)], [1, 2, 1])
        self.assertEqual(sum(distribution.bins), 4)

    def test_integers_along_an_axis(self):
        values = np.array([[127, -127], [1, 2]], np.int8)
        distribution = distributions.of_tensor(_tensor(values, "INT8", [0.5, 2.0], [0, 0], axis=1))
        self.assertEqual(
            (distribution.low, distribution.high, distribution.scales), (-254.0, 63.5, 2)
        )
        self.assertEqual(distribution.clipped, 0.5)

    def test_real_numbers(self):
        values = np.linspace(0, 1, 64, endpoint=False, dtype=np.float32).reshape(8, 8)
        values[-1, -1] = 1
        distribution = distributions.of_tensor(_tensor(values, "FLOAT32"))
        self.assertEqual(
            (distribution.low, distribution.high, distribution.clipped), (0.0, 1.0, None)
        )
        self.assertEqual(distribution.bins, (2,) * 32)

    def test_equal_numbers(self):
        distribution = distributions.of_tensor(_tensor(np.ones((2, 2), np.float32), "FLOAT32"))
        self.assertEqual(distribution.bins[0], 4)

    @parameterized.named_parameters(
        ("not_finite", _tensor(np.array([[np.nan, 1]], np.float32), "FLOAT32")),
        ("numbers_of_another_kind", _tensor(np.ones((2, 2), np.int32), "INT32")),
        ("too_few_scales", _tensor(np.ones((3, 2), np.int8), "INT8", [1.0, 2.0], [0, 0])),
        ("no_such_axis", _tensor(np.ones((2, 2), np.int8), "INT8", [1.0, 2.0], [0, 0], axis=5)),
        ("no_zero_point", _tensor(np.ones((2, 2), np.int8), "INT8", [1.0], [])),
        (
            "fewer_values_than_places",
            dataclasses.replace(_tensor(np.ones((2, 2), np.int8), "INT8"), shape=(9, 9)),
        ),
    )
    def test_tensors_without_a_distribution(self, tensor):
        self.assertIsNone(distributions.of_tensor(tensor))

    def test_a_model(self):
        by_operator = distributions.of_model(reader.read(samples.model(), "x"))
        self.assertEqual(list(by_operator), [(0, 0)])
        self.assertEqual(by_operator[0, 0].clipped, 0.5)


if __name__ == "__main__":
    absltest.main()
