"""F1 and exact match of a question answering model on SQuAD 1.1."""

import glob
import os
from typing import Any

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import evaluation, metrics
from reproducible_tflite.lib.interpreter.answering import Answerer


def questions(folder: str) -> list[tuple[str, str, list[str]]]:
    """Reads a dataset: (question, context, true answers) of each question.

    Args:
      folder: contains one dev*.json of SQuAD 1.1.

    Raises:
      cli.UserError: there is no such file or several, it has another format, or a question has no
        answer.
    """
    paths = glob.glob(os.path.join(glob.escape(folder), "dev*.json"))
    if len(paths) != 1:
        raise cli.UserError(f"{folder}: has {len(paths)} files dev*.json; one is needed.")
    content = evaluation.read_json(paths[0], "SQuAD dataset")
    try:
        rows = [row for article in content["data"] for row in _rows(article)]
    except (KeyError, TypeError) as error:
        raise cli.UserError(
            f"{paths[0]}: is not a SQuAD dataset: {type(error).__name__} {cli.first_line(error)}."
        ) from error
    unanswered = sum(not truths for _, _, truths in rows)
    if unanswered:
        raise cli.UserError(
            f"{paths[0]}: {unanswered} of {len(rows)} questions have no answer, as in SQuAD 2.0;"
            " give SQuAD 1.1's dev-v1.1.json."
        )
    return rows


def _text(row: Any, field: str) -> str:
    if not isinstance(row[field], str) or not row[field].strip():
        raise TypeError(f"{field} is {repr(row[field])[:60]}")
    return row[field]


def _rows(article: Any) -> list[tuple[str, str, list[str]]]:
    return [
        (
            _text(entry, "question"),
            _text(paragraph, "context"),
            [_text(truth, "text") for truth in entry["answers"]],
        )
        for paragraph in article["paragraphs"]
        for entry in paragraph["qas"]
    ]


def evaluate(answerer: Answerer, folder: str, limit: int | None) -> evaluation.Evaluation:
    """Returns F1 and exact match, from 0 to 100, on the first `limit` questions of a dataset."""
    rows = questions(folder)[:limit]
    if not rows:
        raise cli.UserError(f"{folder}: the dataset has no questions.")
    f1 = exact = 0.0
    for question, context, truths in evaluation.progress(rows, len(rows), "question"):
        answer = answerer.answer(question, context)
        text = context[answer.start : answer.end]
        f1 += metrics.f1(text, truths)
        exact += metrics.exact_match(text, truths)
    return evaluation.Evaluation(
        {"F1": 100 * f1 / len(rows), "exact match": 100 * exact / len(rows)}, len(rows)
    )
