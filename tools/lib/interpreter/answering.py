"""Questions about a text, answered by a model of the BERT family with SQuAD's heads.

How a text is cut into windows and which span is taken is that of BERT's run_squad.py
(google-research/bert): windows of the model's length with a stride of 128 tokens, the best sum of a
start and an end logit among the 20 best of each, an answer of 30 tokens at most.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
import tokenizers

from tools.lib.cli import cli
from tools.lib.interpreter.interpreter import Interpreter, Port

# BERT's English vocabulary in lower case, which MobileBERT has too.
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
      start: its first character.
      end: the character behind it; equal to `start` when there is no answer.
      score: the sum of the two logits.
    """

    start: int
    end: int
    score: float


@dataclasses.dataclass(frozen=True, eq=False)
class _Window:
    """A question with a part of its context; `offsets` are characters, None outside the context."""

    ids: list[int]
    segments: list[int]
    offsets: list[tuple[int, int] | None]


def read_vocabulary(path: str | None) -> Mapping[str, int]:
    """Reads a vocabulary, a token a line.

    Args:
      path: seen from where the person stands.

    Raises:
      cli.UserError: none is given, or it cannot be read or lacks BERT's special tokens.
    """
    if not path:
        raise cli.UserError(
            "the model's vocabulary is needed; give --vocabulary=FILE with BERT's vocab.txt"
            f" ({VOCABULARY_URL}, sha256 {VOCABULARY_SHA256})."
        )
    content = cli.read_file(cli.callers_path(path), "vocabulary")
    try:
        tokens = content.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise cli.UserError(f"{path}: the vocabulary is no UTF-8 text.") from error
    numbers = {token: number for number, token in enumerate(tokens)}
    missing = [token for token in _SPECIAL if token not in numbers]
    if missing:
        raise cli.UserError(f"{path}: the vocabulary lacks {', '.join(missing)}; give BERT's.")
    return numbers


def is_known(path: str) -> bool:
    """Returns whether a vocabulary is the one that MobileBERT was trained with."""
    content = cli.read_file(cli.callers_path(path), "vocabulary")
    return hashlib.sha256(content).hexdigest() == VOCABULARY_SHA256


def best_span(
    start: np.ndarray, end: np.ndarray, allowed: np.ndarray
) -> tuple[int, int, float] | None:
    """Returns the first and last token of the likeliest answer, and its score.

    Args:
      start: float [tokens], how likely the answer starts there.
      end: likewise.
      allowed: bool [tokens], where it may.
    """
    found = None
    places = np.flatnonzero(allowed)
    starts = places[np.argsort(-start[places], kind="stable")[:_CANDIDATES]]
    ends = places[np.argsort(-end[places], kind="stable")[:_CANDIDATES]]
    for first in starts:
        for last in ends:
            score = float(start[first] + end[last])
            if 0 <= last - first < _LONGEST_ANSWER and (found is None or score > found[2]):
                found = int(first), int(last), score
    return found


def _named(ports: tuple[Port, ...], *words: str) -> int | None:
    for place, port in enumerate(ports):
        if any(word in port.name for word in words):
            return place
    return None


def _known_tokens(interpreter: Interpreter) -> int:
    """How many tokens a model has embeddings of; 0 when that cannot be seen."""
    graph = interpreter.model.subgraphs[0]
    tables = [graph.tensors[op.inputs[0]] for op in graph.operators if op.name == "GATHER"]
    return max(
        (x.shape[0] for x in tables if len(x.shape) == 2 and x.role == "constant"), default=0
    )


class Answerer:
    """A model that takes input_ids, input_mask, segment_ids and gives start and end logits."""

    def __init__(self, interpreter: Interpreter, vocabulary: Mapping[str, int]) -> None:
        """Prepares the model.

        Raises:
          cli.UserError: it is another kind of model, or knows fewer tokens than the vocabulary.
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
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[:_LONGEST_QUESTION]
        told = self._tokenizer.encode(context, add_special_tokens=False)
        room = self.length - len(asked) - 3
        if room < 1:
            raise cli.UserError(
                f"the question has {len(asked)} tokens and the model takes {self.length}; ask a"
                " shorter one."
            )
        before = [cls, *asked, separator]
        for start in range(0, max(1, len(told.ids)), min(_STRIDE, room)):
            part = told.ids[start : start + room]
            offsets = told.offsets[start : start + room]
            yield _Window(
                ids=[*before, *part, separator],
                segments=[0] * len(before) + [1] * (len(part) + 1),
                offsets=[*([None] * len(before)), *offsets, None],
            )
            if start + room >= len(told.ids):
                return

    def _run(self, window: _Window) -> tuple[np.ndarray, np.ndarray]:
        padded = [0] * (self.length - len(window.ids))
        rows = (window.ids, [1] * len(window.ids), window.segments)
        values = [np.zeros(0)] * 3
        for place, row in zip(self._inputs, rows, strict=True):
            values[place] = np.array([row + padded], self._interpreter.inputs[place].dtype)
        given = self._interpreter.run(values)
        ports = self._interpreter.outputs
        start, end = (ports[place].real(given[place]).ravel() for place in self._outputs)
        return start, end

    def answer(self, question: str, context: str) -> Answer:
        """Returns the part of a context that answers a question.

        Raises:
          cli.UserError: the question or the context is empty, or the question too long.
        """
        for what, text in (("question", question), ("context", context)):
            if not text.strip():
                raise cli.UserError(f"the {what} is empty; give --{what}.")
        best = None
        for window in self._windows(question, context):
            start, end = self._run(window)
            offsets = [*window.offsets, *([None] * (self.length - len(window.offsets)))]
            span = best_span(start, end, np.array([offset is not None for offset in offsets]))
            if span and (best is None or span[2] > best.score):
                best = Answer(offsets[span[0]][0], offsets[span[1]][1], span[2])
        return best or Answer(0, 0, float("-inf"))
