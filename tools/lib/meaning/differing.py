"""The differences between two files: bytes and, in a .tflite, fields."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison, text, wording
from reproducible_tflite.lib.tflite_file import flexbuffer, reader

_BLOCK = 1 << 16
_NEAR = 8
_MOST_BYTES = 16
_MOST_FIELDS = 10


@dataclasses.dataclass(frozen=True)
class Bytes:
    """A run of bytes that differ.

    Attributes:
      offset: where it starts in both files, in bytes.
      left: the left file's bytes in hexadecimal, at most the first `_MOST_BYTES`.
      right: the right file's bytes, likewise.
    """

    offset: int
    left: str
    right: str


def runs(left: bytes, right: bytes, most: int = 8) -> list[Bytes]:
    """Returns the first runs of bytes that differ; nearby runs are joined.

    If one file is longer, its tail is a run too.

    Args:
      left: the left file.
      right: the right file.
      most: the maximum number of runs.
    """
    bounds: list[list[int]] = []
    common = min(len(left), len(right))
    for start in range(0, common, _BLOCK):
        end = min(start + _BLOCK, common)
        if left[start:end] == right[start:end]:
            continue
        for position in range(start, end):
            if left[position] == right[position]:
                continue
            if bounds and position - bounds[-1][1] <= _NEAR:
                bounds[-1][1] = position + 1
            elif len(bounds) == most:
                break
            else:
                bounds.append([position, position + 1])
        if len(bounds) == most:
            break
    if len(left) != len(right) and len(bounds) < most:
        bounds.append([common, max(len(left), len(right))])

    def digits(content: bytes, start: int, end: int) -> str:
        return content[start : min(end, start + _MOST_BYTES)].hex(" ")

    return [
        Bytes(start, digits(left, start, end), digits(right, start, end)) for start, end in bounds
    ]


@dataclasses.dataclass(frozen=True)
class File:
    """The differences between two versions of an output.

    Attributes:
      path: the output's path.
      sizes: both sizes, in bytes.
      runs: the first runs of bytes that differ.
      fields: the differences in a .tflite, in words.
    """

    path: str
    sizes: tuple[int, int]
    runs: tuple[Bytes, ...]
    fields: tuple[str, ...]


def _custom_options(content: bytes) -> dict[str, bytes]:
    """Returns the custom options of every operator that has any, by the operator's place."""
    return {
        wording.place(operator, graph.index): operator.custom_options.tobytes()
        for graph in reader.read(content, "").subgraphs
        for operator in graph.operators
        if operator.custom_options.size
    }


def _key_orders(left: bytes, right: bytes) -> list[str]:
    """Returns a line for each operator whose custom options differ only in the order of keys."""
    ours, theirs = _custom_options(left), _custom_options(right)
    return [
        f"{place}: custom options: the same map, its keys laid out in another order"
        for place in sorted(ours.keys() & theirs.keys())
        if ours[place] != theirs[place]
        and flexbuffer.canonical_bytes(ours[place]) == flexbuffer.canonical_bytes(theirs[place])
    ]


def fields(left: bytes, right: bytes) -> list[str]:
    """Returns the differences of two .tflite files in words; none if either is not a model."""
    try:
        differences = comparison.compare(left, right).differences
    except cli.UserError:
        return []
    return _key_orders(left, right) + [
        f"{kind} of {where}: {ours} | {theirs} {detail}".rstrip()
        for kind, where, ours, theirs, detail in text.rows(differences, _MOST_FIELDS)
    ]


def compare(path: str, left: bytes, right: bytes) -> File:
    """Compares two versions of an output.

    Args:
      path: the output's path; fields are compared if it ends with ".tflite".
      left: the first version.
      right: the second version.
    """
    in_words = fields(left, right) if path.endswith(".tflite") else []
    return File(path, (len(left), len(right)), tuple(runs(left, right)), tuple(in_words))


def lines(file: Mapping[str, Any]) -> list[str]:
    """Returns the differences of an output's versions as lines of text.

    Args:
      file: a `File` as a mapping.
    """
    texts = [f"{file['path']}: {file['sizes'][0]} and {file['sizes'][1]} bytes"]
    texts += [f"  {field}" for field in file["fields"]]
    for run in file["runs"][:3]:
        texts.append(f"  from byte {run['offset']}: {run['left']} | {run['right']}")
    return texts
