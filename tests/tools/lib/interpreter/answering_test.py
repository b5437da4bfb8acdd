import hashlib
import os
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import answering, interpreter
from tests.tools.lib.interpreter import networks

_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "wrote", "it", "?", "ada", "did", ",", "so"]
_VOCABULARY = {word: number for number, word in enumerate(_WORDS)}
# The model gives each token's worth as its start and its end logit.
_ADA = 8


def _answerer(length: int = 16) -> answering.Answerer:
    worth = np.zeros(len(_WORDS), np.float32)
    worth[_ADA] = 5
    # A question's tokens are no answer however well they score.
    worth[_VOCABULARY["it"]] = 9
    content = networks.question_answering(length, worth)
    return answering.Answerer(interpreter.Interpreter(content, "m"), _VOCABULARY)


class AnsweringTest(parameterized.TestCase):
    def test_the_answer_is_a_part_of_the_context(self):
        context = "So, ÁDA did so"
        answer = _answerer().answer("Who wrote it?", context)
        self.assertEqual(context[answer.start : answer.end], "ÁDA")
        self.assertEqual(answer.score, 10)

    @parameterized.parameters(0, 30, 200)
    def test_a_context_longer_than_the_model_takes(self, before):
        context = "so " * before + "Ada" + " did" * 40
        answer = _answerer().answer("Who?", context)
        self.assertEqual((answer.start, answer.end), (3 * before, 3 * before + 3))

    def test_best_span(self):
        start = np.array([9, 0, 3, 1, 2.0])
        end = np.array([9, 4, 0, 1, 3.0])
        allowed = np.array([False, True, True, True, True])
        # 2 to 4 gives 6; 2 to 1 would give 7, but ends before it starts.
        self.assertEqual(answering.best_span(start, end, allowed, allowed), (2, 4, 6.0))
        self.assertIsNone(answering.best_span(start, end, np.zeros(5, bool), allowed))
        self.assertIsNone(answering.best_span(start, end, allowed, np.zeros(5, bool)))

    def test_what_is_no_answer_is_among_the_best(self):
        start, end = np.arange(40.0), np.arange(40.0)
        allowed = np.arange(40) < 25
        # The 20 best are 20 to 39.
        self.assertEqual(answering.best_span(start, end, allowed, allowed), (24, 24, 48.0))
        allowed = np.arange(40) < 20
        self.assertIsNone(answering.best_span(start, end, allowed, allowed))

    def test_no_answer_of_more_than_thirty_tokens(self):
        start, end = np.zeros(60), np.zeros(60)
        start[0], end[59], end[29] = 5, 5, 1
        allowed = np.ones(60, bool)
        self.assertEqual(answering.best_span(start, end, allowed, allowed), (0, 29, 6.0))

    @parameterized.parameters(
        ("", "Ada", "the question is empty"),
        ("Who?", " ", "the context is empty"),
        ("who " * 20, "Ada", "has 20 tokens and the model takes 16"),
    )
    def test_bad_questions_are_refused(self, question, context, message):
        with self.assertRaisesRegex(cli.UserError, message):
            _answerer().answer(question, context)

    def test_another_model(self):
        with self.assertRaisesRegex(cli.UserError, "^m: does not take input_ids"):
            answering.Answerer(interpreter.Interpreter(networks.doubled_sum(), "m"), _VOCABULARY)

    def test_a_larger_vocabulary_than_the_models(self):
        content = networks.question_answering(16, np.zeros(5, np.float32))
        with self.assertRaisesRegex(cli.UserError, "the vocabulary has 12 tokens, but m knows 5"):
            answering.Answerer(interpreter.Interpreter(content, "m"), _VOCABULARY)


class VocabularyTest(absltest.TestCase):
    def _file(self, content: bytes) -> str:
        path = os.path.join(self.create_tempdir().full_path, "vocab.txt")
        pathlib.Path(path).write_bytes(content)
        return path

    def test_a_token_a_line(self):
        path = self._file("\n".join(_WORDS).encode())
        self.assertEqual(answering.read_vocabulary(path), _VOCABULARY)
        self.assertFalse(answering.is_known(path))

    def test_the_digest_is_that_of_the_whole_file(self):
        content = b"x\n"
        known = hashlib.sha256(content).hexdigest()
        with absltest.mock.patch.object(answering, "VOCABULARY_SHA256", known):
            self.assertTrue(answering.is_known(self._file(content)))

    def test_other_files_are_refused(self):
        for path, message in [
            (None, "give --vocabulary=FILE with BERT's vocab.txt"),
            (self._file(b"\xff\xfe"), "is not UTF-8 text"),
            (self._file(b"a\nb\n"), r"lacks \[PAD\], \[UNK\], \[CLS\], \[SEP\]"),
            (self._file(b""), "is empty"),
        ]:
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                answering.read_vocabulary(path)


if __name__ == "__main__":
    absltest.main()
