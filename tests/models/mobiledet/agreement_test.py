"""The quantized MobileDet gives what the float one gives, and a wrong recipe does not."""

import sys

import numpy as np
from absl.testing import absltest

from tests.models import models

FLOAT, QUANTIZED, WRONG_MEAN_AND_STD, *PHOTOGRAPHS = sys.argv[1:]

# Cosine of the raw outputs, below which the two models do not compute the same thing.
_AGREEMENT = 0.95


def worst_agreement(path: str, references: list[dict[str, np.ndarray]]) -> dict[str, float]:
    """Returns, for boxes and classes, the least cosine over all photographs."""
    detector = models.Detector(path)
    cosines = {"boxes": [], "classes": []}
    for photograph, reference in zip(PHOTOGRAPHS, references, strict=True):
        detector.run(models.photograph(photograph, 320, 320))
        for name, values in detector.raw_outputs().items():
            cosines[name].append(models.centred_cosine(values, reference[name]))
    worst = {name: min(values) for name, values in cosines.items()}
    print(path, {name: round(value, 4) for name, value in worst.items()})
    return worst


class AgreementTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        detector = models.Detector(FLOAT)
        cls.references = []
        for photograph in PHOTOGRAPHS:
            detector.run(models.photograph(photograph, 320, 320))
            cls.references.append(detector.raw_outputs())

    def test_outputs_depend_on_the_photograph(self):
        for name in ("boxes", "classes"):
            first, second = (reference[name] for reference in self.references[:2])
            self.assertGreater(first.std(), 0.5)
            self.assertLess(models.centred_cosine(first, second), _AGREEMENT)

    def test_the_quantized_model_agrees_with_the_float_model(self):
        worst = worst_agreement(QUANTIZED, self.references)
        self.assertGreater(min(worst.values()), _AGREEMENT)

    def test_a_wrong_mean_and_standard_deviation_do_not(self):
        worst = worst_agreement(WRONG_MEAN_AND_STD, self.references)
        self.assertLess(max(worst.values()), _AGREEMENT)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
