"""SQuAD 1.1's F1 and exact match of a model that answers questions."""

import glob
import os
from typing import Any

from tools.evaluate import measured, metrics
from tools.lib.cli import cli
from tools.lib.interpreter.answering import Answerer


def questions(folder: str) -> list[tuple[str, str, list[str]]]:
    """Reads a set: (question, context, true answers).

    Args:
      folder: has one dev*.json of SQuAD 1.1.

    Raises:
      cli.UserError: there is none or several, or it is something else.
    """
    found = sorted(glob.glob(os.path.join(glob.escape(folder), "dev*.json")))
    if len(found) != 1:
        raise cli.UserError(f"{folder}: has {len(found)} files dev*.json; one is needed.")
    content = measured.read_json(found[0], "SQuAD set")
    try:
        return [row for article in content["data"] for row in _rows(article)]
    except (KeyError, TypeError) as error:
        raise cli.UserError(
            f"{found[0]}: is no SQuAD set: {type(error).__name__} {cli.first_line(error)}."
        ) from error


def _rows(article: Any) -> list[tuple[str, str, list[str]]]:
    return [
        (asked["question"], paragraph["context"], [truth["text"] for truth in asked["answers"]])
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]


def evaluate(answerer: Answerer, folder: str, limit: int | None) -> measured.Measured:
    """Returns F1 and exact match, 0 to 100, on the first `limit` questions of a set."""
    rows = questions(folder)[:limit]
    if not rows:
        raise cli.UserError(f"{folder}: the set has no questions.")
    f1 = exact = 0.0
    for question, context, truths in measured.progress(rows, len(rows), "question"):
        found = answerer.answer(question, context)
        text = context[found.start : found.end]
        f1 += metrics.f1(text, truths)
        exact += metrics.exact_match(text, truths)
    return measured.Measured(
        {"F1": 100 * f1 / len(rows), "exact match": 100 * exact / len(rows)}, len(rows)
    )
