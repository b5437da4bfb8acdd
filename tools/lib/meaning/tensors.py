"""Finds the differences between two tensors of the same role."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from reproducible_tflite.lib.meaning import meaning, weights
from reproducible_tflite.lib.meaning.difference import Difference
from reproducible_tflite.lib.meaning.meaning import Graph
from reproducible_tflite.lib.meaning.wording import changed, shown, size
from reproducible_tflite.lib.tflite_file.model import Quantization

_TYPES = {"scale": "FLOAT32", "zero_point": "INT64"}
_NO_FLOATS = np.zeros(0, np.float32)
_NONE = Quantization(_NO_FLOATS, np.zeros(0, np.int64), 0, _NO_FLOATS, _NO_FLOATS, None)


def differences(
    where: str, left: Graph, right: Graph, i: int, j: int, role: str = ""
) -> Iterator[Difference]:
    """Yields the differences between two tensors.

    Args:
      where: the place of both.
      left: the left subgraph.
      right: the right subgraph.
      i: the left tensor's number.
      j: the right tensor's number.
      role: "input" or "output" if a caller sees both.
    """
    a, b = left.graph.tensors[i], right.graph.tensors[j]
    for kind, field in (
        ("name", "name"),
        ("type", "dtype"),
        ("variable", "is_variable"),
    ):
        values = (getattr(a, field), getattr(b, field))
        if values[0] != values[1]:
            yield Difference(kind, where, *values)
    if a.shape != b.shape:
        yield Difference("shape", where, size(a.shape, a), size(b.shape, b))
    if a.shape_signature != b.shape_signature:
        shapes = (size(a.shape_signature, a), size(b.shape_signature, b))
        if role:
            kind, detail = f"{role} shape signature", "? can be asked for"
            yield Difference(kind, where, *shapes, detail)
        elif a.shape == b.shape:
            yield Difference("inner shape signature", where, *shapes)
    if a.has_rank != b.has_rank:
        yield Difference("note", where, a.has_rank, b.has_rank, "has_rank")
    for field in ("sparsity", "variants", "external"):
        for path, x, y in changed(getattr(a, field), getattr(b, field), field):
            yield Difference(field, where, *shown(x, y), path)
    yield from _quantization(where, left, right, i, j)
    yield from _data(where, left, right, i, j)


def _quantization(where: str, left: Graph, right: Graph, i: int, j: int) -> Iterator[Difference]:
    a, b = (
        graph.graph.tensors[index].quantization or _NONE for graph, index in ((left, i), (right, j))
    )
    same = meaning.digest(left.quantization(i)) == meaning.digest(right.quantization(j))
    for field, harmless in (
        ("scale", "note"),
        ("zero_point", "note"),
        ("axis", "axis of one scale"),
        ("minimum", "range"),
        ("maximum", "range"),
    ):
        values = (getattr(a, field), getattr(b, field))
        if meaning.digest(values[0]) != meaning.digest(values[1]):
            kind = harmless if same or harmless == "range" else "quantization"
            apart = None
            if field in _TYPES and kind == "quantization" and values[0].size == values[1].size:
                apart = weights.compare(_TYPES[field], *values)
            figures = apart.figures() if apart else {}
            yield Difference(kind, where, *shown(*values), field.replace("_", " "), figures)
    for path, x, y in changed(left.details(i), right.details(j)):
        yield Difference("quantization", where, *shown(x, y), path or "another scheme")


def _data(where: str, left: Graph, right: Graph, i: int, j: int) -> Iterator[Difference]:
    if left.data(i) == right.data(j):
        return
    a, b = left.graph.tensors[i], right.graph.tensors[j]
    x, y = a.values(), b.values()
    if (a.dtype, x.size) != (b.dtype, y.size):
        yield Difference("weights", where, f"{x.size} values", f"{y.size} values", a.name)
        return
    difference = weights.compare(a.dtype, x, y)
    if difference:
        values, text = difference.values, difference.text()
        yield Difference("weights", where, *values, text, difference.figures())


def unused(where: str, left: Graph, right: Graph) -> Iterator[Difference]:
    """Yields the differences between the tensors that no operator and no caller uses.

    Args:
      where: the place of both subgraphs.
      left: the left subgraph.
      right: the right subgraph.
    """
    a, b = (
        sorted(graph.unused(), key=lambda index, g=graph: (g.graph.tensors[index].name, index))
        for graph in (left, right)
    )
    if len(a) != len(b):
        yield Difference("unused tensors", where, len(a), len(b), "no operator has them")
        return
    for i, j in zip(a, b, strict=True):
        place = f"{where} tensor {left.graph.tensors[i].name}"
        for difference in differences(place, left, right, i, j):
            detail = f"{difference.kind} {difference.detail}".strip()
            yield dataclasses.replace(difference, kind="unused tensors", detail=detail)
