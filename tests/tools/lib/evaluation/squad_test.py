import json
import pathlib
import types

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import squad
from reproducible_tflite.lib.interpreter import answering
from reproducible_tflite.lib.interpreter.ports import Port
from tests.tools.lib.evaluation import independent_squad

_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "a", *(f"word{x}" for x in "abcdefgh")]
_VOCABULARY = {word: number for number, word in enumerate(_WORDS)}


def _logits(ids: np.ndarray, seed: int) -> list[np.ndarray]:
    """Returns made start and end logits that depend on all of a window's tokens."""
    random = np.random.default_rng([seed, *map(int, ids.ravel())])
    # Few values, so that many scores are equal.
    return [random.integers(0, 60, ids.shape).astype(np.float32) / 4 for _ in range(2)]


class _MadeModel:
    """A model of made logits, with the interface of `Interpreter`."""

    source = "made"

    def __init__(self, length: int, seed: int) -> None:
        def port(name: str, dtype: type) -> Port:
            return Port(0, name, (1, length), np.dtype(dtype), 0.0, 0)

        names = ("input_ids", "input_mask", "segment_ids")
        self.inputs = tuple(port(name, np.int32) for name in names)
        self.outputs = tuple(port(name, np.float32) for name in ("start_logits", "end_logits"))
        self.model = types.SimpleNamespace(subgraphs=[types.SimpleNamespace(operators=())])
        self._seed = seed

    def run(self, values: list[np.ndarray]) -> list[np.ndarray]:
        return _logits(values[0], self._seed)


def _expected(question: list[str], context: list[str], length: int, seed: int) -> str:
    spans = independent_squad.windows(len(context), len(question), length)
    results = []
    for start, size in spans:
        words = ["[CLS]", *question, "[SEP]", *context[start : start + size], "[SEP]"]
        ids = [_VOCABULARY[word] for word in words] + [0] * (length - len(words))
        results.append([row.ravel().tolist() for row in _logits(np.array([ids]), seed)])
    span = independent_squad.predict(spans, len(question), results)
    return " ".join(context[span[0] : span[1] + 1]) if span else ""


class SquadTest(parameterized.TestCase):
    @parameterized.product(length=[40, 200, 384], seed=[1, 2, 3, 4])
    def test_figures_are_those_of_an_independent_computation(self, length, seed):
        random = np.random.default_rng(seed)
        answers, truths, paragraphs = [], [], []
        for _ in range(12):
            context = [_WORDS[i] for i in random.integers(4, len(_WORDS), random.integers(1, 900))]
            question = [_WORDS[i] for i in random.integers(4, len(_WORDS), random.integers(1, 30))]
            answers.append(_expected(question, context, length, seed))
            words = answers[-1].split()
            # The true answers: near the predicted one, and another part of the context.
            start = random.integers(len(context))
            truths.append([" ".join(words[1:]) or "wordh", " ".join(context[start : start + 3])])
            if random.integers(2):
                truths[-1].append(answers[-1].title() + ".")
            entries = [
                {"question": " ".join(question), "answers": [{"text": text} for text in truths[-1]]}
            ]
            paragraphs.append({"context": " ".join(context), "qas": entries})
        folder = self.create_tempdir().full_path
        content = json.dumps({"data": [{"paragraphs": paragraphs}]})
        pathlib.Path(folder, "dev-v1.1.json").write_text(content, encoding="utf-8")
        answerer = answering.Answerer(_MadeModel(length, seed), _VOCABULARY)
        for paragraph, expected in zip(paragraphs, answers, strict=True):
            answer = answerer.answer(paragraph["qas"][0]["question"], paragraph["context"])
            self.assertEqual(paragraph["context"][answer.start : answer.end], expected)
        result = squad.evaluate(answerer, folder, None)
        f1, exact = independent_squad.figures(answers, truths)
        self.assertAlmostEqual(result.metrics["F1"], f1)
        self.assertAlmostEqual(result.metrics["exact match"], exact)

    @parameterized.parameters(
        ("question", 7), ("question", " "), ("context", None), ("context", ""), ("text", ["a"])
    )
    def test_what_is_no_text_is_refused(self, field, value):
        texts = {"question": "Who?", "context": "a", "text": "a", field: value}
        entry = {"question": texts["question"], "answers": [{"text": texts["text"]}]}
        content = {"data": [{"paragraphs": [{"context": texts["context"], "qas": [entry]}]}]}
        folder = self.create_tempdir().full_path
        pathlib.Path(folder, "dev-v1.1.json").write_text(json.dumps(content), encoding="utf-8")
        message = f"dev-v1.1.json: is not a SQuAD dataset: TypeError {field} is "
        with self.assertRaisesRegex(cli.UserError, message):
            squad.questions(folder)

    def test_questions_without_an_answer_are_refused(self):
        entries = [{"question": "Who?", "answers": answers} for answers in ([], [{"text": "a"}])]
        content = {"data": [{"paragraphs": [{"context": "a", "qas": entries}]}]}
        folder = self.create_tempdir().full_path
        pathlib.Path(folder, "dev-v2.0.json").write_text(json.dumps(content), encoding="utf-8")
        with self.assertRaisesRegex(
            cli.UserError, r"dev-v2.0.json: 1 of 2 questions have no answer, as in SQuAD 2.0; give"
        ):
            squad.questions(folder)


if __name__ == "__main__":
    absltest.main()
