"""Estimates are the processor's own, and have the shape that their makers state."""

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.rounding import estimates
from tests.tools.lib.rounding import processor

# All float32 in [1/2, 2), a part at a time; a root repeats every two octaves.
_PARTS = range(0x3F000000, 0x40000000, 1 << 17)
# The largest relative error that each maker states; Arm's manual has 8 bits.
_MOST = {"intel": 1.5 * 2**-12, "amd": 1.5 * 2**-12, "arm": 2**-8, "avx512": 2**-14}


def _numbers(start: int, count: int = 1 << 17) -> np.ndarray:
    return np.arange(start, start + count, dtype=np.uint32).view(np.float32)


class EstimatesTest(parameterized.TestCase):
    def _check_instruction(self, instruction, model):
        for start in _PARTS:
            x = _numbers(start)
            np.testing.assert_array_equal(processor.estimate(instruction, x), model(x))

    def test_the_processors_own(self):
        maker = processor.maker()
        if maker is None:
            self.skipTest("nothing is known of this machine's processor")
        self._check_instruction(processor.RSQRTPS, getattr(estimates, maker))

    def test_the_processors_own_with_avx_512(self):
        if processor.maker() != "intel" or not processor.has("avx512vl"):
            self.skipTest("this machine has no Intel processor with AVX-512")
        self._check_instruction(processor.VRSQRT14PS, estimates.avx512)

    @parameterized.parameters(*_MOST)
    def test_errors_and_order(self, name):
        model = getattr(estimates, name)
        last = np.float32(np.inf)
        for start in _PARTS:
            x = _numbers(start)[::7]
            y = model(x)
            self.assertEqual(y.dtype, np.float32)
            error = np.abs(y * np.sqrt(x.astype(np.float64)) - 1).max()
            self.assertLessEqual(error, _MOST[name])
            self.assertTrue((np.diff(y, prepend=last) <= 0).all())
            last = y[-1]

    @parameterized.parameters(*_MOST)
    def test_four_times_a_number_has_half_the_root(self, name):
        model = getattr(estimates, name)
        x = _numbers(0x3F000000, 1 << 24)[::997]
        for power in (-60, -1, 1, 62):
            scaled = x * np.float32(4.0**power)
            np.testing.assert_array_equal(model(scaled), model(x) * np.float32(2.0**-power))

    # The first and the last estimate of an octave, and one between, as hexadecimal floats.
    @parameterized.parameters(
        ("intel", "0x1.ffep-1", "0x1.69fp-1", "0x1.4c3p-2"),
        ("amd", "0x1.fffp-1", "0x1.6ap-1", "0x1.4c3p-2"),
        ("arm", "0x1.ffp-1", "0x1.69p-1", "0x1.4cp-2"),
        ("avx512", "0x1p+0", "0x1.6a05p-1", "0x1.4c38p-2"),
    )
    def test_known_values(self, name, *expected):
        found = getattr(estimates, name)(np.array([1, 2, 9.5], np.float32))
        self.assertEqual(found.tolist(), [float.fromhex(text) for text in expected])


if __name__ == "__main__":
    absltest.main()
