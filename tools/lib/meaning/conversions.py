"""Compares the files of several TensorFlows for a model with that of the first one."""

import collections
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.meaning.difference import Difference
from reproducible_tflite.lib.tflite_file import canonical
from reproducible_tflite.lib.tflite_file.schema import tflite

# A file's record of its conversion: this metadata entry and the description. They name the
# TensorFlow, so files are compared without them.
RECORD = b"CONVERSION_METADATA"

# The longest value in a report, in characters; longer shapes and texts are cut.
_LONGEST = 60


def without_record(content: bytes, source: str) -> bytes:
    """Returns a .tflite's canonical form without the record of its conversion."""
    model = tflite.ModelT.InitFromPackedBuf(content)
    model.metadata = [entry for entry in model.metadata or [] if entry.name != RECORD] or None
    packed = canonical.packed(model, len(content), source)
    return canonical.canonical_bytes(packed, source, description="")


def _shown(value: Any) -> str:
    shown = printable(value)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."


def _is_record(difference: Difference) -> bool:
    return difference.kind == "description" or (
        difference.kind == "metadata" and difference.where == RECORD.decode()
    )


def _unnamed(left: bytes, right: bytes) -> list[Difference]:
    """Returns differences in bytes that have no meaning, such as in a metadata entry."""
    entries = []
    for content in (left, right):
        model = tflite.ModelT.InitFromPackedBuf(content)
        buffers = {entry.name: model.buffers[entry.buffer] for entry in model.metadata or []}
        entries.append(
            {
                name: b"" if buffer.data is None else bytes(buffer.data)
                for name, buffer in buffers.items()
            }
        )
    return [
        Difference("layout", f"metadata {name.decode()}", content, entries[1].get(name))
        for name, content in entries[0].items()
        if content != entries[1].get(name)
    ] or [Difference("layout", "file", len(left), len(right), "bytes")]


def compare_with(baseline: tuple[str, bytes], other: tuple[str, bytes]) -> dict[str, Any]:
    """Compares the files of two TensorFlows for a model.

    Args:
      baseline: the first TensorFlow's version and canonical file.
      other: the second's.

    Returns:
      `verdict`: "same bytes" if only the record differs, else the verdict of `comparison.compare`;
      `differences`: the number of differences by kind, without those of the record; `first`: the
      first difference, with `kind`, `where`, `left`, `right` and `detail`, or None.
    """
    names, contents = zip(baseline, other, strict=True)
    compared = comparison.compare(*contents, *names)
    differences = [difference for difference in compared.differences if not _is_record(difference)]
    left, right = (without_record(*pair) for pair in zip(contents, names, strict=True))
    if left == right:
        return {"verdict": comparison.SAME_BYTES, "differences": {}, "first": None}
    differences = differences or _unnamed(left, right)
    first = differences[0]
    return {
        "verdict": compared.verdict,
        "differences": dict(collections.Counter(difference.kind for difference in differences)),
        "first": {
            "kind": first.kind,
            "where": first.where,
            "left": _shown(first.left),
            "right": _shown(first.right),
            "detail": first.detail,
        },
    }


def report(
    model: str, converter: str, files: Mapping[str, bytes], left_out: Sequence[str]
) -> dict[str, Any]:
    """Returns the comparison of all TensorFlows' files for a model, for JSON.

    Args:
      model: the model's label.
      converter: `toco` or `mlir`.
      files: the canonical files by version; the first is the baseline.
      left_out: the versions that do not have the converter.
    """
    baseline, *others = files.items()
    versions = {
        version: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for version, content in files.items()
    }
    for other in others:
        versions[other[0]] |= compare_with(baseline, other)
    versions |= {version: {"left_out": f"it has no {converter}"} for version in left_out}
    return {
        "model": model,
        "converter": converter,
        "baseline": baseline[0],
        "versions": versions,
    }
