"""How good answers are: each metric as a function of answers and truths alone."""

import collections
import re
import string
from collections.abc import Sequence

import numpy as np

# What two equal pictures get, so that a mean stays a number.
_BEST_PSNR = 100.0
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def is_among_top(scores: np.ndarray, label: int, top: int) -> bool:
    """Returns whether a class is among the `top` best; of equal scores the lower class is better.

    Args:
      scores: float [classes].
      label: the class.
      top: how many count.
    """
    return label in np.argsort(-scores, kind="stable")[:top]


def intersections(predicted: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Counts pixels as MLPerf Mobile does for mean IoU (mobile_app_open, datasets/ade20k.cc).

    Pixels whose truth is not one of the classes 1 to `classes` are no false positives: the set has
    more classes than the model.

    Args:
      predicted: integers of any shape.
      truth: of the same shape.
      classes: how many there are besides class 0, "other".

    Returns:
      int64 [classes, 3]: true positives, false positives and false negatives of classes 1 ...
    """
    known = (truth >= 1) & (truth <= classes)
    seen, there = predicted[known].astype(np.int64), truth[known].astype(np.int64)
    right = np.bincount(there[seen == there], minlength=classes + 1)
    # A class that the truth does not have cannot be right anywhere.
    predicted_known = np.bincount(seen[seen <= classes], minlength=classes + 1)
    present = np.bincount(there, minlength=classes + 1)
    return np.stack([right, predicted_known - right, present - right], axis=1)[1 : classes + 1]


def mean_iou(counts: np.ndarray) -> float:
    """Returns the mean intersection over union of the classes that occur at all.

    Args:
      counts: the sum of what `intersections` gave for each picture.
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
      truth: of the same shape.
    """
    error = np.mean((picture.astype(np.float64) - truth.astype(np.float64)) ** 2)
    return _BEST_PSNR if error == 0 else float(10 * np.log10(255**2 / error))


def normalized_answer(text: str) -> str:
    """Returns an answer as SQuAD compares it: no case, punctuation, articles or odd blanks."""
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(answer: str, truths: Sequence[str]) -> float:
    """Returns 1.0 when an answer is one of the true ones, as SQuAD compares them; else 0.0."""
    return float(normalized_answer(answer) in map(normalized_answer, truths))


def f1(answer: str, truths: Sequence[str]) -> float:
    """Returns SQuAD's F1: how far an answer's words are those of the true answer it is nearest."""
    return max((_f1(answer, truth) for truth in truths), default=0.0)


def _f1(answer: str, truth: str) -> float:
    given, wanted = normalized_answer(answer).split(), normalized_answer(truth).split()
    common = sum((collections.Counter(given) & collections.Counter(wanted)).values())
    if not common:
        return 0.0
    precision, recall = common / len(given), common / len(wanted)
    return 2 * precision * recall / (precision + recall)
