"""Compares two .tflite files by their meaning, not by their layout.

The verdict comes from digests of what the models compute (meaning.py). To find the differences,
operators are paired (alignment.py), and tensors by their operators, so names and numbers do not
matter.
"""

import collections
import dataclasses
import functools
import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import graphs, meaning, rounding, structure, text
from reproducible_tflite.lib.meaning.difference import Difference
from reproducible_tflite.lib.tflite_file import canonical, mapped, outside, reader
from reproducible_tflite.lib.tflite_file.mapped import Content
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.lib.tflite_file.schema import FILE_IDENTIFIER, tflite

SAME_BYTES = "same bytes"
SAME_CANONICAL_BYTES = "same canonical bytes"
SAME_MEANING = "same meaning"
SAME_BUT_FOR_ROUNDING = rounding.SAME_BUT_FOR_ROUNDING
SAME_GRAPH = text.SAME_GRAPH
DIFFERENT = "different"
# From the strictest kind of equality to none.
VERDICTS = (
    SAME_BYTES,
    SAME_CANONICAL_BYTES,
    SAME_MEANING,
    SAME_BUT_FOR_ROUNDING,
    SAME_GRAPH,
    DIFFERENT,
)

# Kinds of differences that the canonical form removes; it keeps all others.
_NOT_CANONICAL = ("layout", "trailing bytes")
DEFAULT_LIMIT = text.DEFAULT_LIMIT

UNUSED_DATA = "data that nothing refers to"
REFUSED = "refused by LiteRT"
# In bytes; longer data are compared by their digests.
_LONG = 1024


def is_at_least(verdict: str, least: str) -> bool:
    """Returns whether a verdict is another one or a stricter one."""
    return VERDICTS.index(verdict) <= VERDICTS.index(least)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The result of a comparison of two .tflite files.

    Attributes:
      verdict: one of `VERDICTS`. "same meaning": the same operators with the same options on the
        same values, weights, quantization, inputs, outputs and signatures. "same but for rounding":
        likewise, but for the last bits of constants that a batch norm may be folded into. "same
        graph, other weights": the same structure (structure.py) with other numbers.
      differences: all differences; those that change the meaning come first.
      names: the files' names.
    """

    verdict: str
    differences: tuple[Difference, ...]
    names: tuple[str, str]

    @property
    def means_same(self) -> bool:
        """Whether both files mean the same."""
        return self.is_at_least(SAME_MEANING)

    def is_at_least(self, verdict: str) -> bool:
        """Returns whether the verdict is this one or a stricter one."""
        return is_at_least(self.verdict, verdict)

    def text(self, limit: int | None = DEFAULT_LIMIT) -> str:
        """Returns the verdict and aligned columns of differences.

        Args:
          limit: the maximum number of listed differences per kind; None for all.
        """
        return text.render(self.verdict, self.names, self.differences, limit)

    def to_json(self) -> str:
        """Returns the verdict and every difference as a JSON object."""
        value = {
            "verdict": self.verdict,
            "left": self.names[0],
            "right": self.names[1],
            "differences": [difference.to_dict() for difference in self.differences],
        }
        if self.verdict == SAME_BUT_FOR_ROUNDING:
            value["rounding"] = rounding.extent(self.differences).to_dict()
        return json.dumps(finite(value), indent=2, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """Returns a value with infinities and NaN, which JSON lacks, as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def _described(data: np.ndarray) -> str | None:
    """Returns the versions that bytes mention and a digest of them; None for no bytes."""
    if not data.size:
        return None
    start = data[:4096].tobytes()
    versions = b" ".join(re.findall(rb"\d+\.\d+\.\d+", start)[:4]).decode()
    return f"{versions} (sha256 {hashlib.sha256(data).hexdigest()[:8]}...)".strip()


def _metadata(model: Model) -> dict[str, list[str | None]]:
    """Returns the descriptions of the metadata entries by name, which several may share."""
    entries = collections.defaultdict(list)
    for entry in model.metadata:
        entries[entry.name].append(_described(entry.data))
    return entries


def _metadata_differences(left: Model, right: Model) -> Iterator[Difference]:
    entries = (_metadata(left), _metadata(right))
    if left.minimum_runtime != right.minimum_runtime:
        yield Difference("minimum runtime", "model", left.minimum_runtime, right.minimum_runtime)
    for name in sorted((entries[0].keys() | entries[1].keys()) - {reader.MINIMUM_RUNTIME}):
        for a, b in itertools.zip_longest(*(part.get(name, ()) for part in entries)):
            if a != b:
                yield Difference("metadata", name, a, b)
    numbered = (left.metadata_buffers, right.metadata_buffers)
    for place, (i, j) in enumerate(itertools.zip_longest(*numbered)):
        a, b = (
            None if number is None else _described(model.buffers[number]) or "empty"
            for model, number in ((left, i), (right, j))
        )
        if a != b:
            yield Difference("note", "model", a, b, f"metadata_buffer {place}")


def _unused_data(model: Model) -> list[bytes]:
    """Returns the sorted digests of the buffers with data that nothing refers to."""
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used.update(model.metadata_buffers)
    of_metadata = {id(entry.data) for entry in model.metadata}
    return sorted(
        meaning.digest(data)
        for number, data in enumerate(model.buffers)
        if data.size and number not in used and id(data) not in of_metadata
    )


def _refusal(model: Model) -> str | None:
    """Returns why LiteRT does not load a model; None if it does, as far as the file shows."""
    if not model.refusals:
        return None
    first, *more = model.refusals
    return f"{first} (and {len(more)} more)" if more else first


def _model_differences(left: Model, right: Model) -> list[Difference]:
    """Returns the differences outside the subgraphs."""
    differences = [
        Difference(kind, "model", a, b)
        for kind, a, b in (
            ("schema version", left.version, right.version),
            ("description", left.description, right.description),
            ("trailing bytes", _described(left.trailing), _described(right.trailing)),
        )
        if a != b
    ]
    # Two files that LiteRT refuses differ in what else is listed.
    if bool(left.refusals) != bool(right.refusals):
        differences.append(Difference(REFUSED, "model", *map(_refusal, (left, right))))
    if left.newer or right.newer:
        names = (", ".join(model.newer) or None for model in (left, right))
        differences.append(Difference("newer schema", "model", *names, "cannot be compared"))
    unused = (_unused_data(left), _unused_data(right))
    if unused[0] != unused[1]:
        counts = [f"{len(part)} buffers" for part in unused]
        differences.append(Difference("layout", "model", *counts, UNUSED_DATA))
    return [*differences, *_metadata_differences(left, right)]


def _small(content: Content, model: Model) -> bytes:
    """Returns a file with long data replaced by their digests, so that equal data stay equal."""
    unpacked = tflite.ModelT.InitFromPackedBuf(content)
    outside.bring_in(unpacked, content, model.source)
    for buffer in unpacked.buffers or []:
        if buffer.data is not None and len(buffer.data) > _LONG:
            digest = meaning.digest(np.asarray(buffer.data))
            buffer.data = np.frombuffer(digest, np.uint8)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(unpacked.Pack(builder), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output()) + model.trailing.tobytes()


def _same_canonical(models: tuple[Model, Model], contents: tuple) -> bool:
    """Returns whether two models of the same meaning have the same canonical form."""
    try:
        left, right = (
            canonical.canonical_bytes(_small(content, model), model.source)
            for model, content in zip(models, contents, strict=True)
        )
    except (cli.UserError, flatbuffers.builder.BuilderSizeError):
        # The canonical form cannot keep something in one of them, or they are too large.
        return False
    return left == right


def _without_floats(model: Model) -> Model:
    """Returns a model with zeros for all float32 constants, as far as digests are concerned."""
    floats = {
        tensor.buffer
        for graph in model.subgraphs
        for tensor in graph.tensors
        if (tensor.role, tensor.dtype) == ("constant", "FLOAT32")
    }
    buffers = (
        np.zeros_like(data) if number in floats else data
        for number, data in enumerate(model.buffers)
    )
    return dataclasses.replace(model, buffers=tuple(buffers))


def _is_rounding(left: Model, right: Model, changes: Sequence[Difference]) -> bool:
    """Returns whether two models differ in the rounding of folded batch norms alone.

    Where the digests differ because of a constant, the differences do not show how values meet.
    """
    return rounding.is_rounding(changes) and graphs.compare(*map(_without_floats, (left, right)))[0]


def _verdict_of_different(left: Model, right: Model, changes: Sequence[Difference]) -> str:
    """Returns the verdict on two models of different meaning."""
    if _is_rounding(left, right, changes):
        return SAME_BUT_FOR_ROUNDING
    # What only a newer schema knows is not compared.
    same = structure.digest(left) == structure.digest(right) and not (left.newer or right.newer)
    return SAME_GRAPH if same else DIFFERENT


def compare(
    left: Content,
    right: Content,
    left_name: str = "left",
    right_name: str = "right",
) -> Comparison:
    """Compares two untrusted .tflite files.

    Args:
      left: the content of the first file.
      right: the content of the second file.
      left_name: the first file's name, for the result and for messages.
      right_name: the second file's name.

    Raises:
      cli.UserError: see `reader.read`.
    """
    result = functools.partial(Comparison, names=(left_name, right_name))
    models = (reader.read(left, left_name), reader.read(right, right_name))
    if mapped.equal(left, right):
        return result(SAME_BYTES, ())
    same, differences = graphs.compare(*models)
    outer = _model_differences(*models)
    differences += outer
    changes = [part for part in differences if part.changes_meaning]
    if not same or changes:
        verdict = _verdict_of_different(*models, changes)
    elif all(part.kind in _NOT_CANONICAL for part in differences) and _same_canonical(
        models, (left, right)
    ):
        verdict = SAME_CANONICAL_BYTES
    else:
        verdict = SAME_MEANING
    differences = differences or [Difference("layout", "file", len(left), len(right), "bytes")]
    return result(verdict, tuple(sorted(differences, key=lambda item: not item.changes_meaning)))
