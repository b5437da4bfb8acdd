"""The 8-bit MobileBERT answers like the float one, on tokens not used for its calibration."""

import sys

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.preprocessing import tokens
from tests.models import models
from tests.models.mobilebert.question_answering import LENGTH, VOCABULARY, QuestionAnswering

FLOAT, INT8 = sys.argv[1:3]

_HELD_OUT_SEED = 1
_COUNT = 6
_AGREEMENT = 0.98


class AgreementTest(absltest.TestCase):
    def test_logits_and_best_tokens_agree(self):
        float_model, int8_model = QuestionAnswering(FLOAT), QuestionAnswering(INT8)
        cosines, best = [], []
        for sample in tokens.samples(_COUNT, LENGTH, VOCABULARY, _HELD_OUT_SEED):
            expected, actual = float_model.run(sample), int8_model.run(sample)
            for name, logits in expected.items():
                cosines.append(models.centred_cosine(logits, actual[name]))
                best.append(int(actual[name].argmax()) in np.argsort(logits)[-3:])
        print("cosines", np.round(cosines, 4), "best token among the best three", best)
        self.assertGreater(min(cosines), _AGREEMENT)
        self.assertGreaterEqual(np.mean(best), 0.9)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
