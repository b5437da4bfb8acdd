"""MobileBERT's logits depend on words, segments and the mask, and not on padding."""

import sys

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.preprocessing import tokens
from tests.models.mobilebert.question_answering import LENGTH, VOCABULARY, QuestionAnswering

(MODEL,) = sys.argv[1:2]


class MeaningTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = QuestionAnswering(MODEL)
        samples = tokens.samples(20, LENGTH, VOCABULARY, seed=2)
        # Short ones, so that there is much padding.
        cls.samples = sorted(samples, key=lambda sample: sample["input_mask"].sum())[:4]
        cls.logits = [cls.model.run(sample) for sample in cls.samples]
        cls.used = [int(sample["input_mask"].sum()) for sample in cls.samples]

    def _change(self, number: int, name: str, place: slice, values: object) -> float:
        """Returns the change of start_logits for a changed input, relative to their deviation."""
        changed = self.samples[number][name].copy()
        changed[0, place] = values
        before = self.logits[number]["start_logits"]
        after = self.model.run(self.samples[number] | {name: changed})["start_logits"]
        self.assertFalse(np.array_equal(changed, self.samples[number][name]))
        both = min(len(before), len(after))
        return np.sqrt(np.mean((after[:both] - before[:both]) ** 2)) / before.std()

    def test_logits_tell_tokens_apart(self):
        for name in ("start_logits", "end_logits"):
            for logits in self.logits:
                self.assertBetween(logits[name].std(), 0.5, 2)
            self.assertLen({int(logits[name].argmax()) for logits in self.logits}, 4)

    def test_words_matter(self):
        for number, used in enumerate(self.used):
            self.assertGreater(self._change(number, "input_ids", slice(used - 20, used), 5000), 0.2)

    def test_padding_does_not(self):
        for number, used in enumerate(self.used):
            # Tokens depend on their neighbours, so the last depends on the first of the padding.
            words = 5000 + np.arange(LENGTH - used - 1)
            change = self._change(number, "input_ids", slice(used + 1, LENGTH), words)
            self.assertLess(change, 0.02)
            self.assertGreater(self._change(number, "input_ids", slice(used, used + 1), 5000), 0.02)

    def test_the_mask_decides_what_is_padding(self):
        for number, used in enumerate(self.used):
            self.assertGreater(self._change(number, "input_mask", slice(used - 10, used), 0), 0.05)

    def test_segments_matter(self):
        for number in range(len(self.used)):
            self.assertGreater(self._change(number, "segment_ids", slice(0, LENGTH), 0), 0.1)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
