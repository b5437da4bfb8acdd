"""Answers and figures on SQuAD 1.1, computed without the project's code.

Follows run_squad.py of google-research/bert (convert_examples_to_features and write_predictions)
and SQuAD's evaluate-v1.1.py step by step. Words are tokens, and a question is not cut.
"""

import collections
import re
import string


def windows(context_tokens, question_tokens, length):
    """Returns (start, length) of each part of the context, as run_squad.py's doc_spans."""
    room = length - question_tokens - 3
    spans = []
    start = 0
    while start < context_tokens:
        size = min(context_tokens - start, room)
        spans.append((start, size))
        if start + size == context_tokens:
            break
        start += min(size, 128)
    return spans


def is_max_context(spans, current, position):
    """Returns whether a window is the one with the most context for a token of the context."""
    best_score, best_index = None, None
    for index, (start, size) in enumerate(spans):
        end = start + size - 1
        if position < start or position > end:
            continue
        score = min(position - start, end - position) + 0.01 * size
        if best_score is None or score > best_score:
            best_score, best_index = score, index
    return current == best_index


def _best_indexes(logits):
    pairs = sorted(enumerate(logits), key=lambda pair: pair[1], reverse=True)
    return [index for index, _ in pairs[:20]]


def predict(spans, question_tokens, results):
    """Returns the first and last token of the context in the best answer; None without one.

    Args:
      spans: the result of `windows`.
      question_tokens: how many tokens the question has.
      results: for each window the start and the end logits of all the model's tokens.
    """
    predictions = []
    before = question_tokens + 2
    for number, ((start, size), (start_logits, end_logits)) in enumerate(
        zip(spans, results, strict=True)
    ):
        to_context = {before + i: start + i for i in range(size)}
        for first in _best_indexes(start_logits):
            for last in _best_indexes(end_logits):
                if first not in to_context or last not in to_context:
                    continue
                if not is_max_context(spans, number, to_context[first]):
                    continue
                if last < first or last - first + 1 > 30:
                    continue
                score = start_logits[first] + end_logits[last]
                predictions.append((score, to_context[first], to_context[last]))
    if not predictions:
        return None
    # A stable sort: of equal scores, the first stays first.
    _, first, last = sorted(predictions, key=lambda row: row[0], reverse=True)[0]
    return first, last


def _normalize(text):
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def _f1(prediction, truth):
    predicted, expected = _normalize(prediction).split(), _normalize(truth).split()
    common = collections.Counter(predicted) & collections.Counter(expected)
    same = sum(common.values())
    if same == 0:
        return 0
    precision, recall = 1.0 * same / len(predicted), 1.0 * same / len(expected)
    return (2 * precision * recall) / (precision + recall)


def figures(predictions, truths):
    """Returns F1 and exact match, from 0 to 100, of texts against lists of true texts."""
    f1 = exact = 0
    for prediction, accepted in zip(predictions, truths, strict=True):
        f1 += max(_f1(prediction, truth) for truth in accepted)
        exact += max(_normalize(prediction) == _normalize(truth) for truth in accepted)
    return 100.0 * f1 / len(truths), 100.0 * exact / len(truths)
