"""Questions about a text, answered by a model of the BERT family with SQuAD's heads.

Windows and answers are those of BERT's run_squad.py (google-research/bert): windows of the model's
length with a stride of 128 tokens; the best sum of a start and an end logit among the 20 best of
each; an answer of at most 30 tokens. Of the windows that contain a token, an answer may start with
it only in the one that shows the most context around it.
"""

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tokenizers

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.interpreter.ports import Port

# BERT's English vocabulary in lower case; MobileBERT's is the same.
VOCABULARY_URL = (
    "https://huggingface.co/bert-base-uncased/resolve/"
    "86b5e0934494bd15c9632b12f734a8a67f723594/vocab.txt"
)
VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_STRIDE = 128
_LONGEST_QUESTION = 64
_LONGEST_ANSWER = 30
_CANDIDATES = 20


@dataclasses.dataclass(frozen=True)
class Answer:
    """A part of the context.

    Attributes:
      start: the index of its first character.
      end: the index after its last character; equal to `start` if there is no answer.
      score: the sum of its start and end logits.
    """

    start: int
    end: int
    score: float


@dataclasses.dataclass(frozen=True, eq=False)
class _Window:
    """A question with a part of its context.

    Attributes:
      ids: the tokens' numbers in the vocabulary, without padding.
      segments: 0 for tokens of the question, 1 for those of the context, without padding.
      offsets: each token's first character and the one after its last; None outside the context.
      starts: whether an answer may start with the token.
    """

    ids: list[int]
    segments: list[int]
    offsets: list[tuple[int, int] | None]
    starts: list[bool]


def read_vocabulary(path: str | None) -> Mapping[str, int]:
    """Reads a vocabulary with one token per line.

    Args:
      path: as a person gave it, see `cli.callers_path`; None if none was given.

    Returns:
      The tokens' numbers, from 0.

    Raises:
      cli.UserError: no path is given; or the file cannot be read or lacks BERT's special tokens.
    """
    if not path:
        raise cli.UserError(
            "the model needs its vocabulary; give --vocabulary=FILE with BERT's vocab.txt"
            f" ({VOCABULARY_URL}, sha256 {VOCABULARY_SHA256})."
        )
    content = cli.read_file(cli.callers_path(path), "vocabulary")
    try:
        tokens = content.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise cli.UserError(f"{path}: the vocabulary is not UTF-8 text.") from error
    numbers = {token: number for number, token in enumerate(tokens)}
    missing = [token for token in _SPECIAL if token not in numbers]
    if missing:
        raise cli.UserError(f"{path}: the vocabulary lacks {', '.join(missing)}; give BERT's.")
    return numbers


def is_known(path: str) -> bool:
    """Returns whether a vocabulary file is the one that MobileBERT was trained with."""
    content = cli.read_file(cli.callers_path(path), "vocabulary")
    return hashlib.sha256(content).hexdigest() == VOCABULARY_SHA256


def check(question: str, context: str) -> None:
    """Checks what a model is asked.

    Raises:
      cli.UserError: the question or the context is empty.
    """
    for what, text in (("question", question), ("context", context)):
        if not text.strip():
            raise cli.UserError(f"the {what} is empty; give --{what}.")


def best_span(
    start: np.ndarray, end: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[int, int, float] | None:
    """Returns the first and last token of the likeliest answer, and its score; None without one.

    Args:
      start: float [tokens], the logits of an answer that starts at each token.
      end: float [tokens], the logits of an answer that ends at each token.
      starts: bool [tokens], whether an answer may start with the token.
      ends: bool [tokens], whether an answer may end with the token.
    """
    best = None
    # The best of all tokens: one that is no answer takes a place among them.
    first_tokens, last_tokens = (
        np.argsort(-logits, kind="stable")[:_CANDIDATES] for logits in (start, end)
    )
    for first in first_tokens[starts[first_tokens]]:
        for last in last_tokens[ends[last_tokens]]:
            score = float(start[first] + end[last])
            if 0 <= last - first < _LONGEST_ANSWER and (best is None or score > best[2]):
                best = int(first), int(last), score
    return best


def _parts(tokens: int, room: int) -> list[range]:
    """Returns the context's tokens in each window, of which each has room for so many."""
    step = min(_STRIDE, room)
    count = 1 + max(0, math.ceil((tokens - room) / step))
    return [range(i * step, min(i * step + room, tokens)) for i in range(count)]


def _shows_most(part: range, parts: Sequence[range], token: int) -> bool:
    """Returns whether a part shows the most context around a token; of equal ones, the first does.

    Args:
      part: one of `parts` that contains the token.
      parts: the context's tokens in each window.
      token: the token's place in the context.
    """

    def context(other: range) -> float:
        return min(token - other.start, other.stop - 1 - token) + 0.01 * len(other)

    return part == max((other for other in parts if token in other), key=context)


def _named(ports: tuple[Port, ...], *words: str) -> int | None:
    for place, port in enumerate(ports):
        if any(word in port.name for word in words):
            return place
    return None


def _known_tokens(interpreter: Interpreter) -> int:
    """Returns how many tokens a model has embeddings for; 0 if unknown."""
    graph = interpreter.model.subgraphs[0]
    tables = [graph.tensors[op.inputs[0]] for op in graph.operators if op.name == "GATHER"]
    return max(
        (x.shape[0] for x in tables if len(x.shape) == 2 and x.role == "constant"), default=0
    )


class Answerer:
    """A model that takes input_ids, input_mask, segment_ids and gives start and end logits.

    Attributes:
      length: how many tokens the model takes, padding included.
    """

    def __init__(self, interpreter: Interpreter, vocabulary: Mapping[str, int]) -> None:
        """Checks the model and prepares the tokenizer.

        Raises:
          cli.UserError: the model has other inputs or outputs, or fewer tokens than the vocabulary.
        """
        ports = interpreter.inputs
        self._inputs = [
            _named(ports, "ids_", "input_ids"),
            _named(ports, "mask"),
            _named(ports, "segment", "type_ids"),
        ]
        outputs = interpreter.outputs
        self._outputs = [_named(outputs, "start"), _named(outputs, "end")]
        shapes = {port.shape for port in (*ports, *outputs)}
        if None in self._inputs + self._outputs or len(shapes) != 1 or len(ports) != 3:
            raise cli.UserError(
                f"{interpreter.source}: does not take input_ids, input_mask and segment_ids and"
                " give start and end logits."
            )
        self.length = ports[0].shape[-1]
        known = _known_tokens(interpreter)
        if known and max(vocabulary.values()) >= known:
            raise cli.UserError(
                f"the vocabulary has {max(vocabulary.values()) + 1} tokens, but"
                f" {interpreter.source} knows {known}; give the model's own."
            )
        self._interpreter = interpreter
        self._vocabulary = vocabulary
        self._tokenizer = tokenizers.BertWordPieceTokenizer(dict(vocabulary), lowercase=True)

    def _windows(self, question: str, context: str) -> Iterator[_Window]:
        cls, separator = self._vocabulary["[CLS]"], self._vocabulary["[SEP]"]
        question_ids = self._tokenizer.encode(question, add_special_tokens=False).ids[
            :_LONGEST_QUESTION
        ]
        encoding = self._tokenizer.encode(context, add_special_tokens=False)
        room = self.length - len(question_ids) - 3
        if room < 1:
            raise cli.UserError(
                f"the question has {len(question_ids)} tokens and the model takes {self.length};"
                " ask a shorter one."
            )
        prefix = [cls, *question_ids, separator]
        parts = _parts(len(encoding.ids), room)
        for part in parts:
            padding = self.length - len(prefix) - len(part)
            outside, behind = [None] * len(prefix), [None] * padding
            yield _Window(
                ids=[*prefix, *encoding.ids[part.start : part.stop], separator],
                segments=[0] * len(prefix) + [1] * (len(part) + 1),
                offsets=[*outside, *encoding.offsets[part.start : part.stop], *behind],
                starts=[
                    *([False] * len(prefix)),
                    *(_shows_most(part, parts, token) for token in part),
                    *([False] * padding),
                ],
            )

    def _run(self, window: _Window) -> tuple[np.ndarray, np.ndarray]:
        padded = [0] * (self.length - len(window.ids))
        rows = (window.ids, [1] * len(window.ids), window.segments)
        values = [np.zeros(0)] * 3
        for place, row in zip(self._inputs, rows, strict=True):
            values[place] = np.array([row + padded], self._interpreter.inputs[place].dtype)
        outputs = self._interpreter.run(values)
        ports = self._interpreter.outputs
        start, end = (ports[place].real(outputs[place]).ravel() for place in self._outputs)
        return start, end

    def answer(self, question: str, context: str) -> Answer:
        """Returns the part of a context that answers a question.

        Raises:
          cli.UserError: the question or the context is empty, or the question is too long.
        """
        check(question, context)
        best = None
        for window in self._windows(question, context):
            start, end = self._run(window)
            ends = np.array([offset is not None for offset in window.offsets])
            span = best_span(start, end, np.array(window.starts), ends)
            if span and (best is None or span[2] > best.score):
                offsets = window.offsets
                best = Answer(offsets[span[0]][0], offsets[span[1]][1], span[2])
        return best or Answer(0, 0, float("-inf"))
