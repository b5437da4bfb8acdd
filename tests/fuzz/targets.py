"""Properties of the readers and writers of .tflite files for all inputs, even hostile ones.

Each target takes any bytes. A `cli.UserError` is a valid result; any other exception is a bug.
"""

from typing import Any

from flatbuffers import flexbuffers as package

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file import canonical, flexbuffer, reader
from tests.tools.lib.tflite_file import meaning, models

# The largest ratio of a canonical file's size to the original's: parts shared by tables (four
# times, see structure.py), texts shared by custom options (eight times), and a factor of two for
# tables, whose fields may be laid out more widely.
_GROWTH = 64


def _meaning(content: bytes) -> Any:
    return meaning.meaning(models.unpack(content), content)


def _is_rewritten(data: bytes) -> bool:
    try:
        canonical.canonical_bytes(data, "x.tflite")
    except cli.UserError:
        return False
    return True


def canonicalize_tflite(data: bytes) -> None:
    """A file is refused, or its canonical form has the same meaning and is a fixed point."""
    try:
        once = canonical.canonical_bytes(data, "x.tflite")
    except cli.UserError:
        return
    assert len(once) <= _GROWTH * len(data), f"{len(data)} bytes became {len(once)}"
    assert canonical.canonical_bytes(once, "x.tflite") == once, "the second time differs"
    assert _meaning(once) == _meaning(data), "the meaning differs"


def canonicalize_flexbuffer(data: bytes) -> None:
    """The canonical form has the same values for this project's reader; the package reads it."""
    once = flexbuffer.canonical_bytes(data)
    assert len(once) <= _GROWTH * len(data), f"{len(data)} bytes became {len(once)}"
    assert flexbuffer.canonical_bytes(once) == once, "the second time differs"
    if once != data:
        assert repr(flexbuffer.loads(once)) == repr(flexbuffer.loads(data)), "values changed"
        package.GetRoot(bytearray(once))


def inspect_tflite(data: bytes) -> None:
    """A file is read or refused; the reader accepts what the canonical writer accepts."""
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
    """Two halves are compared; a file is equal to itself and to its canonical form.

    But LiteRT may run only the canonical form, such as that of a file that is not aligned.
    """
    middle = data.find(b"TFL3", 12) - 4
    pairs = [(data, data)] if middle < 0 else [(data[:middle], data[middle:])]
    try:
        pairs.append((data, canonical.canonical_bytes(data, "x.tflite")))
    except cli.UserError:
        pass
    for left, right in pairs:
        try:
            compared = comparison.compare(left, right)
        except cli.UserError:
            continue
        changes = {part.kind for part in compared.differences if part.changes_meaning}
        assert middle >= 0 or changes <= {comparison.REFUSED}, compared.text()
        assert (compared.verdict == comparison.SAME_BYTES) == (left == right)
        compared.text()
        compared.to_json()
