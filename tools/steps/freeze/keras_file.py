"""What a Keras file says of itself, read without Keras and without running code of the file."""

import dataclasses
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import h5py

from reproducible_tflite.lib.cli import cli

_HDF5_START = b"\x89HDF\r\n\x1a\n"
_ZIP_START = b"PK\x03\x04"
# What h5py and zipfile raise for damaged files, and what comes of JSON with other content.
_UNREADABLE = (
    EOFError,
    OSError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclasses.dataclass(frozen=True)
class KerasFile:
    """A saved Keras model.

    Attributes:
      version: the Keras that saved it, such as "2.15.0" or "2.2.4-tf".
      ending: the format's ending, ".h5" or ".keras", whatever the file is called.
      layers: the classes of its layers.
    """

    version: str
    ending: str
    layers: frozenset[str]

    @property
    def major(self) -> str:
        """The first number of the version."""
        return self.version.partition(".")[0]


def read(path: str) -> KerasFile:
    """Reads what a Keras file says of itself.

    Raises:
      cli.UserError: it is not a complete Keras model.
    """
    content = cli.read_file(path, "Keras model")
    if content.startswith(_HDF5_START):
        ending, described = ".h5", _read_hdf5
    elif content.startswith(_ZIP_START):
        ending, described = ".keras", _read_zip
    else:
        raise cli.UserError(
            f"{path}: is not a Keras model; give a file that model.save(...) wrote, .keras or .h5."
        )
    try:
        version, configuration = described(path, io.BytesIO(content))
        return KerasFile(version, ending, frozenset(_classes(json.loads(configuration))))
    except _UNREADABLE as error:
        raise cli.UserError(
            f"{path}: the Keras model cannot be read: {cli.first_line(error)}; it may be truncated,"
            " save it again."
        ) from error


def _read_hdf5(path: str, stream: io.BytesIO) -> tuple[str, str]:
    """Returns the version of Keras and the model's configuration as JSON."""
    with h5py.File(stream, "r") as stored:
        if "model_config" not in stored.attrs:
            raise cli.UserError(
                f"{path}: has no model; it may have its weights alone, so save it with"
                " model.save(...) instead of save_weights."
            )
        # Before 2.0, Keras did not state its version.
        return _text(stored.attrs.get("keras_version", "1")), _text(stored.attrs["model_config"])


def _read_zip(path: str, stream: io.BytesIO) -> tuple[str, str]:
    with zipfile.ZipFile(stream) as stored:
        if "metadata.json" not in stored.namelist():
            raise cli.UserError(
                f"{path}: is an archive without metadata.json, and not a Keras model; give a file"
                " that model.save(...) wrote, .keras or .h5."
            )
        damaged = stored.testzip()
        if damaged:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        metadata = json.loads(stored.read("metadata.json"))
        return _text(metadata["keras_version"]), _text(stored.read("config.json"))


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _classes(configuration: Any) -> Iterator[str]:
    """Yields every class that a configuration names."""
    pending = [configuration]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            if isinstance(part.get("class_name"), str):
                yield part["class_name"]
            pending += part.values()
        elif isinstance(part, list):
            pending += part
