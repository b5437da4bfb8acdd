"""Tells what kind of model a file or folder is, by its content."""

import enum
import os
from collections.abc import Mapping
from typing import Any

from reproducible_tflite.lib.cli import cli, content


class Kind(enum.Enum):
    """A kind of model, with its words for people."""

    FROZEN_GRAPH = "a frozen graph"
    KERAS = "a Keras model"
    ONNX = "an ONNX model"
    SAVED_MODEL = "a SavedModel"
    TFLITE = "a .tflite"


SAVED_MODEL_FILE = "saved_model.pb"
_ENDINGS = {
    ".h5": Kind.KERAS,
    ".hdf5": Kind.KERAS,
    ".keras": Kind.KERAS,
    ".onnx": Kind.ONNX,
    ".pb": Kind.FROZEN_GRAPH,
    ".tflite": Kind.TFLITE,
}
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_TFLITE = b"TFL3"
# The last bytes of a checkpoint's index.
_INDEX_END = bytes.fromhex("57fb808b247547db")
_ALLOWED = (
    "give a .h5, .keras, .pb, .onnx or .tflite file, or a SavedModel's folder with saved_model.pb"
)
# The wire types of protocol buffers, and how many bytes the fixed ones have.
_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Returns the number at a place, and the place after it; raises IndexError at the end."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        shift += 7
        place += 1
        if byte < 0x80:
            return value, place
        if shift > 63:
            raise IndexError


def _fields(data: bytes) -> Mapping[int, int]:
    """Returns the wire types of a message's fields by their numbers; {} if it is no message."""
    found: dict[int, int] = {}
    place = 0
    try:
        while place < len(data):
            key, place = _varint(data, place)
            number, wire_type = key >> 3, key & 7
            found[number] = wire_type
            if wire_type == _VARINT:
                _, place = _varint(data, place)
            elif wire_type == _LENGTH:
                length, place = _varint(data, place)
                place += length
            elif wire_type in _FIXED:
                place += _FIXED[wire_type]
            else:
                return {}
    except IndexError:
        return {}
    return found if place == len(data) else {}


def _message(data: bytes) -> Kind | None:
    """Returns the kind of a serialized message of protocol buffers."""
    fields = _fields(data)
    if fields == {1: _VARINT, 2: _LENGTH}:
        return Kind.SAVED_MODEL
    # ir_version, graph and opset_import.
    if (fields.get(1), fields.get(7), fields.get(8)) == (_VARINT, _LENGTH, _LENGTH):
        return Kind.ONNX
    # node, library, version, versions and debug_info.
    graph = {1: _LENGTH, 2: _LENGTH, 3: _VARINT, 4: _LENGTH, 5: _LENGTH}
    if 1 in fields and fields.items() <= graph.items():
        return Kind.FROZEN_GRAPH
    return None


def _check_no_checkpoint(path: str, given: str) -> None:
    """Raises UserError if a path is a checkpoint's prefix, one of its files, or their folder."""
    folder, name = os.path.split(path)
    prefix = name.removesuffix(".index").partition(".data-")[0]
    found = [f"{prefix}.index"] if os.path.isfile(os.path.join(folder, f"{prefix}.index")) else []
    if os.path.isdir(path):
        found = sorted(file for file in os.listdir(path) if file.endswith(".index"))
    if found:
        raise cli.UserError(
            f"{given}: is a checkpoint ({found[0]}), which has weights but no graph; give the"
            " rule checkpoint_files its files and the architecture that they belong to, as"
            " docs/rules.md shows."
        )


def _of_folder(path: str, given: str) -> tuple[Kind, str]:
    try:
        names = os.listdir(path)
    except OSError as error:
        raise cli.UserError(f"{given}: cannot be read: {error.strerror}.") from error
    if SAVED_MODEL_FILE in names:
        return Kind.SAVED_MODEL, path
    _check_no_checkpoint(path, given)
    raise cli.UserError(f"{given}: is a folder without saved_model.pb; {_ALLOWED}.")


def of(path: str, given: str) -> tuple[Kind, str]:
    """Returns the kind of a model, and its path, which for a SavedModel is its folder.

    Args:
      path: a file or folder.
      given: its name in messages.

    Raises:
      cli.UserError: it is missing or unreadable, or none of the kinds.
    """
    if os.path.isdir(path):
        return _of_folder(path, given)
    if not os.path.exists(path):
        _check_no_checkpoint(path, given)
    data = cli.read_file(path, "model")
    kind = None
    if data.startswith((_HDF5, _ZIP)):
        kind = Kind.KERAS
    elif data[4:8] == _TFLITE:
        kind = Kind.TFLITE
    elif data.endswith(_INDEX_END) or ".data-" in os.path.basename(path):
        _check_no_checkpoint(path, given)
    else:
        kind = _message(data)
    if kind is Kind.SAVED_MODEL and os.path.basename(path) == SAVED_MODEL_FILE:
        return kind, os.path.dirname(path)
    if kind is Kind.SAVED_MODEL:
        raise cli.UserError(
            f"{given}: is the saved_model.pb of a SavedModel; give it that name again, and the"
            " folder with its variables."
        )
    if kind:
        return kind, path
    if found := content.what_it_is(data):
        raise cli.UserError(f"{given}: is {found}, which is not converted; {_ALLOWED}.")
    if expected := _ENDINGS.get(os.path.splitext(path)[1].lower()):
        raise cli.UserError(
            f"{given}: is not {expected.value}; it may be truncated or damaged, so get it again."
        )
    raise cli.UserError(f"{given}: is no model that can be converted; {_ALLOWED}.")


def parsed(message: Any, path: str, given: str, kind: Kind) -> Any:
    """Returns a protocol buffer's message with a model's file read into it.

    Args:
      message: an empty message, such as a GraphDef.
      path: the file.
      given: what a person named, for the error.
      kind: what the file should be.
    """
    content = cli.read_file(path, "model")
    try:
        message.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError, whichever implementation is active.
        raise cli.UserError(
            f"{given}: is not {kind.value}, or truncated ({cli.first_line(error)}); get it again."
        ) from error
    return message
