import pathlib
import re

import numpy as np
from absl.testing import absltest, parameterized

from tools.lib.preprocessing import normalization

_RULES = pathlib.Path("tools/tflite/private/preprocessing.bzl").read_text()


class NormalizationTest(parameterized.TestCase):
    @parameterized.parameters(
        ("minus_one_to_one", [-1, -1, -1], [1, 1, 1]),
        ("zero_to_one", [0, 0, 0], [1, 1, 1]),
        ("identity", [0, 0, 0], [255, 255, 255]),
        ("imagenet_mean", [-123.68, -116.78, -103.94], [131.32, 138.22, 151.06]),
        ("imagenet_mean_std", [-2.1179, -2.0357, -1.8044], [2.2489, 2.4286, 2.64]),
    )
    def test_ends_of_the_range(self, name, black, white):
        pixels = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
        found = normalization.normalize(pixels, name)
        self.assertEqual(found.dtype, np.float64)
        np.testing.assert_allclose(found, [black, white], atol=1e-4)

    def test_the_rules_know_the_same_names_and_numbers(self):
        rows = re.findall(r'^    "(\w+)": (None|struct\((.*)\)),$', _RULES, re.MULTILINE)
        self.assertEqual({row[0] for row in rows}, set(normalization.NAMES))
        for name, _, numbers in rows:
            if numbers:
                mean, deviation = (float(part.partition("=")[2]) for part in numbers.split(","))
                known = normalization.NORMALIZATIONS[name]
                self.assertEqual(known.mean, (mean,) * 3, name)
                self.assertEqual(known.deviation, (deviation,) * 3, name)

    def test_every_channel_has_its_own_mean_where_the_rules_have_none(self):
        rows = re.findall(r'^    "(\w+)": None,$', _RULES, re.MULTILINE)
        for name in set(rows) - {normalization.TOKENS}:
            self.assertLen(set(normalization.NORMALIZATIONS[name].mean), 3)


if __name__ == "__main__":
    absltest.main()
