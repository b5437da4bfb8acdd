"""What holds for every input of the readers and writers of .tflite files, however hostile.

Each target takes any bytes. A `cli.UserError` is an answer; anything else that is raised is a bug.
"""

from typing import Any

from flatbuffers import flexbuffers as package

from tests.tools.lib.tflite_file import meaning, models
from tools.lib.cli import cli
from tools.lib.meaning import comparison
from tools.lib.tflite_file import canonical, flexbuffer, reader

# What a canonical file may hold more than the file that it is made of: parts that tables shared
# (four times, see structure.py), texts that custom options shared (eight times), and as much again
# for tables, whose fields may be laid out more widely.
_GROWTH = 64


def _meaning(content: bytes) -> Any:
    return meaning.meaning(models.unpack(content))


def _is_rewritten(data: bytes) -> bool:
    try:
        canonical.canonical_bytes(data, "x.tflite")
    except cli.UserError:
        return False
    return True


def canonicalize_tflite(data: bytes) -> None:
    """A file is refused, or its canonical form means the same and is its own canonical form."""
    try:
        once = canonical.canonical_bytes(data, "x.tflite")
    except cli.UserError:
        return
    assert len(once) <= _GROWTH * len(data), f"{len(data)} bytes became {len(once)}"
    assert canonical.canonical_bytes(once, "x.tflite") == once, "the second time differs"
    assert _meaning(once) == _meaning(data), "the meaning is another"


def canonicalize_flexbuffer(data: bytes) -> None:
    """The canonical form has the same values, to this project's reader and to the package's."""
    once = flexbuffer.canonical_bytes(data)
    assert len(once) <= _GROWTH * len(data), f"{len(data)} bytes became {len(once)}"
    assert flexbuffer.canonical_bytes(once) == once, "the second time differs"
    if once != data:
        assert repr(flexbuffer.loads(once)) == repr(flexbuffer.loads(data)), "values changed"
        package.GetRoot(bytearray(once))


def inspect_tflite(data: bytes) -> None:
    """A file is read or refused; what the canonical writer takes, the reader takes too."""
    try:
        model = reader.read(data, "x.tflite")
    except cli.UserError as refusal:
        assert not _is_rewritten(data), f"only the reader refuses it: {refusal}"
        return
    model.operator_counts()
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            assert tensor.values().nbytes <= 2 * len(data)
        for op in graph.operators:
            assert all(number < len(model.subgraphs) for number in op.subgraphs)
            repr(op.decoded_custom_options)


def diff_tflite(data: bytes) -> None:
    """Two halves are compared; a file is the same as itself, and as its canonical form."""
    middle = data.find(b"TFL3", 12) - 4
    pairs = [(data, data)] if middle < 0 else [(data[:middle], data[middle:])]
    try:
        pairs.append((data, canonical.canonical_bytes(data, "x.tflite")))
    except cli.UserError:
        pass
    for left, right in pairs:
        try:
            found = comparison.compare(left, right)
        except cli.UserError:
            continue
        assert found.verdict != comparison.DIFFERENT or middle >= 0, found.text()
        assert (found.verdict == comparison.SAME_BYTES) == (left == right)
        found.text()
        found.to_json()
