"""What differs between two files: which bytes and, in a .tflite, which fields."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tools.lib.cli import cli
from tools.lib.meaning import comparison, text
from tools.lib.tflite_file import flexbuffer
from tools.lib.tflite_file.schema import tflite

_BLOCK = 1 << 16
_NEAR = 8
_MOST_BYTES = 16
_MOST_FIELDS = 10


@dataclasses.dataclass(frozen=True)
class Bytes:
    """A run of bytes that differ.

    Attributes:
      offset: where it begins in both files.
      left: the left file's bytes as hexadecimal digits; only the first of a long run.
      right: the right file's.
    """

    offset: int
    left: str
    right: str


def runs(left: bytes, right: bytes, most: int = 8) -> list[Bytes]:
    """Returns the first runs of bytes that differ, near ones joined; a missing tail is one too."""
    found: list[list[int]] = []
    common = min(len(left), len(right))
    for start in range(0, common, _BLOCK):
        end = min(start + _BLOCK, common)
        if left[start:end] == right[start:end]:
            continue
        for position in range(start, end):
            if left[position] == right[position]:
                continue
            if found and position - found[-1][1] <= _NEAR:
                found[-1][1] = position + 1
            elif len(found) == most:
                break
            else:
                found.append([position, position + 1])
        if len(found) == most:
            break
    if len(left) != len(right) and len(found) < most:
        found.append([common, max(len(left), len(right))])

    def digits(content: bytes, start: int, end: int) -> str:
        return content[start : min(end, start + _MOST_BYTES)].hex(" ")

    return [
        Bytes(start, digits(left, start, end), digits(right, start, end)) for start, end in found
    ]


@dataclasses.dataclass(frozen=True)
class File:
    """Two forms of one output.

    Attributes:
      path: the output.
      sizes: its bytes in both rounds.
      runs: the first runs of bytes that differ.
      fields: what differs in a .tflite, in words.
    """

    path: str
    sizes: tuple[int, int]
    runs: tuple[Bytes, ...]
    fields: tuple[str, ...]


def _custom_options(content: bytes) -> dict[str, bytes]:
    """Returns the custom options of every operator that has some, by the operator's place."""
    model = tflite.ModelT.InitFromPackedBuf(content)
    found = {}
    for number, graph in enumerate(model.subgraphs or []):
        for index, operator in enumerate(graph.operators or []):
            if operator.customOptions is not None:
                code = model.operatorCodes[operator.opcodeIndex]
                name = (code.customCode or b"operator").decode("utf-8", "replace")
                place = f"{name} {index}" + (f" of subgraph {number}" if number else "")
                found[place] = bytes(operator.customOptions)
    return found


def _key_orders(left: bytes, right: bytes) -> list[str]:
    """Returns the operators whose custom options are one map with its keys in another order."""
    ours, theirs = _custom_options(left), _custom_options(right)
    return [
        f"{place}: custom options: the same map, its keys laid out in another order"
        for place in sorted(ours.keys() & theirs.keys())
        if ours[place] != theirs[place]
        and flexbuffer.canonical_bytes(ours[place]) == flexbuffer.canonical_bytes(theirs[place])
    ]


def fields(left: bytes, right: bytes) -> list[str]:
    """Returns in words what differs between two .tflite files; none if one of them is no model."""
    try:
        differences = comparison.compare(left, right).differences
    except cli.UserError:
        return []
    return _key_orders(left, right) + [
        f"{kind} of {where}: {ours} | {theirs} {detail}".rstrip()
        for kind, where, ours, theirs, detail in text.rows(differences, _MOST_FIELDS)
    ]


def compare(path: str, left: bytes, right: bytes) -> File:
    """Compares two forms of one output."""
    in_words = fields(left, right) if path.endswith(".tflite") else []
    return File(path, (len(left), len(right)), tuple(runs(left, right)), tuple(in_words))


def lines(file: Mapping[str, Any]) -> list[str]:
    """Returns in lines how two forms of an output differ.

    Args:
      file: a mapping of `File`.
    """
    said = [f"{file['path']}: {file['sizes'][0]} and {file['sizes'][1]} bytes"]
    said += [f"  {field}" for field in file["fields"]]
    for run in file["runs"][:3]:
        said.append(f"  from byte {run['offset']}: {run['left']} | {run['right']}")
    return said
