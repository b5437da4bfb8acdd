"""Synthetic inputs for models of the BERT family, the same on every machine.

Their layout is that of SQuAD's examples for BERT (Devlin et al., "BERT: pre-training of deep
bidirectional transformers", 2019, section 4.2): [CLS] question [SEP] context [SEP] padding. The
context and the separator after it are segment 1. The words are random, since no package registry
has the text of SQuAD.
"""

from collections.abc import Iterator

import numpy as np

from reproducible_tflite.lib.values import weights

# Positions in the vocabulary of BERT's uncased English models.
PADDING = 0
CLASSIFICATION = 101
SEPARATOR = 102
FIRST_WORD = 999

_SPECIAL_TOKENS = 3
# The least and the largest number of words. A context may fill the rest of the sequence.
_QUESTION = (5, 30)
_LEAST_CONTEXT = 30
LEAST_LENGTH = _QUESTION[1] + _LEAST_CONTEXT + _SPECIAL_TOKENS
# A word is the lowest of this many draws: the vocabulary starts with frequent words.
_DRAWS = 3


def samples(count: int, length: int, vocabulary: int, seed: int) -> Iterator[dict[str, np.ndarray]]:
    """Yields inputs of various lengths; each depends on the seed and its number only.

    Args:
      count: the number of inputs.
      length: the tokens of each, padding included; at least LEAST_LENGTH.
      vocabulary: the number of tokens in the vocabulary; more than FIRST_WORD.
      seed: of the generator.

    Yields:
      "input_ids", "input_mask" (1 for tokens, 0 for padding) and "segment_ids", each int32
      [1, length].
    """
    for number in range(count):
        draws = weights.uniform(seed, f"{number}/lengths", [2])
        question = int(_between(*_QUESTION, draws[0]))
        context = int(_between(_LEAST_CONTEXT, length - question - _SPECIAL_TOKENS, draws[1]))
        draws = weights.uniform(seed, f"{number}/words", [_DRAWS, question + context]).min(axis=0)
        words = _between(FIRST_WORD, vocabulary - 1, draws)
        tokens = [CLASSIFICATION, *words[:question], SEPARATOR, *words[question:], SEPARATOR]
        padding = [0] * (length - len(tokens))
        second = len(tokens) - (question + 2)
        yield {
            "input_ids": _row(tokens + [PADDING] * len(padding)),
            "input_mask": _row([1] * len(tokens) + padding),
            "segment_ids": _row([0] * (question + 2) + [1] * second + padding),
        }


def _between(first: int, last: int, draws: np.ndarray) -> np.ndarray:
    """Returns integers from `first` to `last` for numbers in [-1, 1)."""
    return first + np.floor((draws + 1) / 2 * (last - first + 1)).astype(np.int64)


def _row(values: list[int]) -> np.ndarray:
    return np.array([values], np.int32)
