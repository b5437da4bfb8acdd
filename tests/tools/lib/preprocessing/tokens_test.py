import hashlib
import itertools

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.preprocessing import tokens

_LENGTH, _VOCABULARY = 384, 30522


def _samples(count=50, length=_LENGTH, seed=1):
    return list(tokens.samples(count, length, _VOCABULARY, seed))


class TokensTest(absltest.TestCase):
    def test_every_sample_is_laid_out_as_question_context_and_padding(self):
        for sample in _samples():
            self.assertEqual(list(sample), ["input_ids", "input_mask", "segment_ids"])
            for array in sample.values():
                self.assertEqual((array.dtype, array.shape), (np.int32, (1, _LENGTH)))
            ids, mask, segments = (array[0] for array in sample.values())
            used = mask.sum()
            np.testing.assert_array_equal(mask, np.arange(_LENGTH) < used)
            first, last = np.flatnonzero(ids == tokens.SEPARATOR)
            self.assertEqual((ids[0], last), (tokens.CLASSIFICATION, used - 1))
            self.assertBetween(first - 1, 5, 30)
            np.testing.assert_array_equal(np.flatnonzero(segments), np.arange(first + 1, used))
            self.assertFalse(ids[used:].any())
            words = np.delete(ids[:used], [0, first, last])
            self.assertTrue(((words >= tokens.FIRST_WORD) & (words < _VOCABULARY)).all())

    def test_lengths_and_words_vary(self):
        samples = _samples()
        used = [int(sample["input_mask"].sum()) for sample in samples]
        self.assertLess(min(used), 100)
        self.assertGreater(max(used), 350)
        self.assertGreater(len(set(used)), 30)
        words = np.concatenate(
            [sample["input_ids"][sample["input_ids"] > 999] for sample in samples]
        )
        # Frequent English words come first in the vocabulary.
        self.assertLess(np.median(words), _VOCABULARY / 4)
        self.assertGreater(words.max(), 0.9 * _VOCABULARY)

    def test_a_sample_depends_on_seed_and_number_alone(self):
        few, more = _samples(2), _samples(4)
        for a, b in itertools.product(range(2), range(4)):
            same = np.array_equal(few[a]["input_ids"], more[b]["input_ids"])
            self.assertEqual(same, a == b)
        self.assertFalse(np.array_equal(_samples(1, seed=2)[0]["input_ids"], few[0]["input_ids"]))

    def test_the_shortest_sequences_are_filled(self):
        for sample in _samples(length=tokens.LEAST_LENGTH):
            self.assertBetween(sample["input_mask"].sum(), 38, tokens.LEAST_LENGTH)

    def test_samples_are_the_same_on_every_machine(self):
        digest = hashlib.sha256()
        for sample in _samples(3):
            for name, array in sample.items():
                digest.update(name.encode() + array.astype("<i4").tobytes())
        self.assertEqual(digest.hexdigest()[:16], "ed3a40b7d03cfc21")


if __name__ == "__main__":
    absltest.main()
