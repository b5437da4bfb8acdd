"""Compares two .tflite files by their meaning, not by their layout.

The verdict comes from digests of what the models compute (meaning.py). To find the differences,
operators are paired (alignment.py), and tensors by their operators, so names and numbers do not
matter.
"""

import dataclasses
import functools
import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tools.lib.cli import cli
from tools.lib.meaning import graphs, text
from tools.lib.meaning.difference import Difference
from tools.lib.tflite_file import canonical, reader
from tools.lib.tflite_file.model import Model

SAME_BYTES = "same bytes"
SAME_CANONICAL_BYTES = "same canonical bytes"
SAME_MEANING = "same meaning"
DIFFERENT = "different"
# From the strictest kind of equality to none.
VERDICTS = (SAME_BYTES, SAME_CANONICAL_BYTES, SAME_MEANING, DIFFERENT)

# Kinds of differences that the canonical form removes; it keeps all others.
_NOT_CANONICAL = ("layout", "trailing bytes")
DEFAULT_LIMIT = text.DEFAULT_LIMIT

_MINIMUM_RUNTIME = "min_runtime_version"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The result of a comparison of two .tflite files.

    Attributes:
      verdict: one of `VERDICTS`. "same meaning": the same operators with the same options on the
        same values, weights, quantization, inputs, outputs and signatures.
      differences: all differences; those that change the meaning come first.
      names: the files' names.
    """

    verdict: str
    differences: tuple[Difference, ...]
    names: tuple[str, str]

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
        return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """Returns a value with infinities and NaN, which JSON lacks, as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _described(data: np.ndarray) -> str | None:
    """Returns the versions that bytes mention and a digest of them; None for no bytes."""
    if not data.size:
        return None
    content = data.tobytes()
    versions = b" ".join(re.findall(rb"\d+\.\d+\.\d+", content[:4096])[:4]).decode()
    return f"{versions} (sha256 {hashlib.sha256(content).hexdigest()[:8]}...)".strip()


def _metadata(model: Model) -> dict[str, str]:
    return {
        entry.name: _described(entry.data)
        for entry in model.metadata
        if entry.name != _MINIMUM_RUNTIME
    }


def _model_differences(left: Model, right: Model) -> list[Difference]:
    """Returns the differences outside the subgraphs; none of them changes the meaning."""
    differences = []
    for kind, a, b in (
        ("schema version", left.version, right.version),
        ("description", left.description, right.description),
        ("minimum runtime", left.minimum_runtime, right.minimum_runtime),
        ("trailing bytes", _described(left.trailing), _described(right.trailing)),
    ):
        if a != b:
            differences.append(Difference(kind, "model", a, b))
    entries = (_metadata(left), _metadata(right))
    for name in sorted(entries[0].keys() | entries[1].keys()):
        a, b = (part.get(name) for part in entries)
        if a != b:
            differences.append(Difference("metadata", name, a, b))
    return differences


def _same_canonical(models: tuple[Model, Model], contents: tuple[bytes, bytes]) -> bool:
    """Returns whether two models of the same meaning have the same canonical form."""
    names = [
        sorted(tensor.name for graph in model.subgraphs for tensor in graph.tensors)
        for model in models
    ]
    # Writing the canonical form of large models takes seconds.
    if names[0] != names[1]:
        return False
    try:
        left, right = (
            canonical.canonical_bytes(content, model.source)
            for model, content in zip(models, contents, strict=True)
        )
    except cli.UserError:
        # The canonical form cannot keep something in one of them.
        return False
    return left == right


def compare(
    left: bytes, right: bytes, left_name: str = "left", right_name: str = "right"
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
    if left == right:
        return result(SAME_BYTES, ())
    same, differences = graphs.compare(*models)
    outer = _model_differences(*models)
    if not same:
        verdict = DIFFERENT
    elif all(part.kind in _NOT_CANONICAL for part in outer) and _same_canonical(
        models, (left, right)
    ):
        verdict = SAME_CANONICAL_BYTES
        # Identical operators may have been paired crosswise.
        differences = [part for part in differences if part.kind in _NOT_CANONICAL]
    else:
        verdict = SAME_MEANING
    differences = [*differences, *outer]
    differences = differences or [Difference("layout", "file", len(left), len(right), "bytes")]
    return result(verdict, tuple(sorted(differences, key=lambda item: not item.changes_meaning)))
