"""Metrics, as functions of predictions and truths."""

import collections
import re
import string
from collections.abc import Sequence

import numpy as np

# For two equal pictures, instead of infinity, so that a mean is finite.
_BEST_PSNR = 100.0
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def is_among_top(scores: np.ndarray, label: int, top: int) -> bool:
    """Returns whether a class is among the `top` best; with equal scores, the lower class wins.

    Args:
      scores: float [classes].
      label: the class.
      top: how many classes count.
    """
    return label in np.argsort(-scores, kind="stable")[:top]


def intersections(predicted: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Counts pixels as MLPerf Mobile does for mean IoU (mobile_app_open, datasets/ade20k.cc).

    Pixels whose true class is not in 1 to `classes` do not count, because the dataset has more
    classes than the model.

    Args:
      predicted: integers of any shape.
      truth: integers of the same shape.
      classes: the number of classes besides class 0, "other".

    Returns:
      int64 [classes, 3]: true positives, false positives and false negatives of classes 1 to
      `classes`.
    """
    known = (truth >= 1) & (truth <= classes)
    guess, true = predicted[known].astype(np.int64), truth[known].astype(np.int64)
    right = np.bincount(true[guess == true], minlength=classes + 1)
    # A higher predicted class is wrong, but a false positive of no counted class.
    guessed = np.bincount(guess[guess <= classes], minlength=classes + 1)
    present = np.bincount(true, minlength=classes + 1)
    return np.stack([right, guessed - right, present - right], axis=1)[1 : classes + 1]


def mean_iou(counts: np.ndarray) -> float:
    """Returns the mean intersection over union of the classes that occur.

    Args:
      counts: int64 [classes, 3], the sum of `intersections` over all pictures.
    """
    union = counts.sum(axis=1)
    occurring = union > 0
    if not occurring.any():
        return 0.0
    return float((counts[occurring, 0] / union[occurring]).mean())


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    """Returns the peak signal-to-noise ratio of 8-bit pictures in dB, over all channels together.

    Args:
      picture: uint8 of any shape.
      truth: uint8 of the same shape.
    """
    error = np.mean((picture.astype(np.float64) - truth.astype(np.float64)) ** 2)
    return _BEST_PSNR if error == 0 else float(10 * np.log10(255**2 / error))


def normalized_answer(text: str) -> str:
    """Returns an answer as SQuAD compares it: without case, punctuation, articles, extra spaces."""
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(answer: str, truths: Sequence[str]) -> float:
    """Returns 1.0 if the normalized answer equals a true one, else 0.0."""
    return float(normalized_answer(answer) in map(normalized_answer, truths))


def f1(answer: str, truths: Sequence[str]) -> float:
    """Returns SQuAD's F1 of an answer's words, relative to the best fitting true answer."""
    return max((_f1(answer, truth) for truth in truths), default=0.0)


def _f1(answer: str, truth: str) -> float:
    words, expected = normalized_answer(answer).split(), normalized_answer(truth).split()
    common = sum((collections.Counter(words) & collections.Counter(expected)).values())
    if not common:
        return 0.0
    precision, recall = common / len(words), common / len(expected)
    return 2 * precision * recall / (precision + recall)
