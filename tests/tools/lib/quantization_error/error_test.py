import math

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.quantization_error.error import Error


class ErrorTest(absltest.TestCase):
    def test_figures_of_several_arrays(self):
        error = Error()
        error.add(np.array([0.0, 1.0]), np.array([0, 1], np.float32))
        error.add(np.array([2.0, 5.0]), np.array([2, 3], np.float32))
        self.assertEqual(error, Error(4, 14.0, 2.0, 4.0, 2.0, 0.0, 3.0))
        self.assertAlmostEqual(error.decibels, 10 * math.log10(14 / 4))

    def test_no_error_is_infinitely_good(self):
        self.assertEqual(Error().add(np.ones(2), np.ones(2)).decibels, math.inf)
        self.assertEqual(Error().add(np.zeros(2), np.zeros(2)).decibels, math.inf)

    def test_what_is_no_number_is_infinitely_bad(self):
        self.assertEqual(Error().add(np.array([math.nan]), np.ones(1)).decibels, -math.inf)
        self.assertEqual(Error().add(np.ones(1), np.zeros(1)).decibels, -math.inf)

    def test_nothing_at_all(self):
        self.assertEqual(Error().add(np.zeros(0), np.zeros(0)), Error())


if __name__ == "__main__":
    absltest.main()
