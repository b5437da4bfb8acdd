"""The quantized MobileNetEdgeTPUs agree with the float one."""

import sys

from absl.testing import absltest

from tests.models import models

FLOAT, UINT8, INT8, *PHOTOGRAPHS = sys.argv[1:]

# The least cosine of the logits of two models that agree.
_AGREEMENT = 0.95


def _logits(path):
    classifier = models.Classifier(path)
    return [classifier.logits(models.photograph(photo, 224, 224)) for photo in PHOTOGRAPHS]


class AgreementTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.references = _logits(FLOAT)

    def test_the_class_depends_on_the_photograph(self):
        first, second = self.references
        self.assertNotEqual(first.argmax(), second.argmax())
        self.assertLess(models.centred_cosine(first, second), 0.8)

    def test_the_quantized_models_agree_with_the_float_model(self):
        for path in (UINT8, INT8):
            cosines = [
                models.centred_cosine(logits, reference)
                for logits, reference in zip(_logits(path), self.references, strict=True)
            ]
            print(path, [round(cosine, 4) for cosine in cosines])
            self.assertGreater(min(cosines), _AGREEMENT, path)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
