"""Every quantized MobileDet gives what its float one gives, and a wrong recipe does not."""

import functools
import os
import sys

import numpy as np
from absl.testing import absltest, parameterized

from tests.models import models

_SEPARATOR = sys.argv.index("--")
PHOTOGRAPHS = sys.argv[1:_SEPARATOR]
MODELS = {
    os.path.basename(path).removesuffix(".tflite"): path for path in sys.argv[_SEPARATOR + 1 :]
}

# Cosine of the raw outputs, below which two models do not compute the same thing.
_AGREEMENT = 0.95


@functools.cache
def raw_outputs(name: str) -> list[dict[str, np.ndarray]]:
    """Returns what a model gives before post-processing, for every photograph."""
    detector = models.Detector(MODELS[name])
    found = []
    for photograph in PHOTOGRAPHS:
        detector.run(models.photograph(photograph, 320, 320))
        found.append(detector.raw_outputs())
    return found


def worst_agreement(name: str, reference: str) -> dict[str, float]:
    """Returns, for boxes and classes, the least cosine over all photographs."""
    pairs = list(zip(raw_outputs(name), raw_outputs(reference), strict=True))
    worst = {
        output: min(models.centred_cosine(one[output], other[output]) for one, other in pairs)
        for output in ("boxes", "classes")
    }
    print(name, {output: round(value, 4) for output, value in worst.items()})
    return worst


class AgreementTest(parameterized.TestCase):
    @parameterized.parameters("mobiledet", "mobiledet_dsp", "mobiledet_cpu")
    def test_outputs_depend_on_the_photograph(self, name):
        for output in ("boxes", "classes"):
            first, second = (found[output] for found in raw_outputs(name)[:2])
            self.assertGreater(first.std(), 0.5)
            self.assertLess(models.centred_cosine(first, second), _AGREEMENT)

    @parameterized.parameters(
        ("mobiledet_qat", "mobiledet"),
        ("mobiledet_int8", "mobiledet"),
        ("mobiledet_dsp_qat", "mobiledet_dsp"),
        ("mobiledet_dsp_int8", "mobiledet_dsp"),
        ("mobiledet_cpu_dynamic_range", "mobiledet_cpu"),
        ("mobiledet_cpu_float16", "mobiledet_cpu"),
        ("mobiledet_cpu_int8", "mobiledet_cpu"),
    )
    def test_the_quantized_model_agrees_with_the_float_model(self, name, reference):
        self.assertGreater(min(worst_agreement(name, reference).values()), _AGREEMENT)

    def test_a_wrong_mean_and_standard_deviation_do_not(self):
        worst = worst_agreement("wrong_mean_and_std", "mobiledet")
        self.assertLess(max(worst.values()), _AGREEMENT)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
