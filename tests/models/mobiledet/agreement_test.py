"""Every quantized MobileDet agrees with its float model, but one with a wrong recipe does not."""

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

# The least cosine of the raw outputs of two models that agree.
_AGREEMENT = 0.95


@functools.cache
def raw_outputs(name: str) -> list[dict[str, np.ndarray]]:
    """Returns a model's outputs before post-processing, for every photograph."""
    detector = models.Detector(MODELS[name])
    outputs = []
    for photograph in PHOTOGRAPHS:
        detector.run(models.photograph(photograph, 320, 320))
        outputs.append(detector.raw_outputs())
    return outputs


def worst_agreement(name: str, reference: str) -> dict[str, float]:
    """Returns the least cosine over all photographs, for boxes and classes."""
    pairs = list(zip(raw_outputs(name), raw_outputs(reference), strict=True))
    worst = {
        output: min(models.centred_cosine(left[output], right[output]) for left, right in pairs)
        for output in ("boxes", "classes")
    }
    print(name, {output: round(value, 4) for output, value in worst.items()})
    return worst


class AgreementTest(parameterized.TestCase):
    @parameterized.parameters("mobiledet", "mobiledet_dsp", "mobiledet_cpu")
    def test_outputs_depend_on_the_photograph(self, name):
        for output in ("boxes", "classes"):
            first, second = (outputs[output] for outputs in raw_outputs(name)[:2])
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
