"""What a Keras file says of itself, read without Keras and without running code of the file."""

import dataclasses
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from reproducible_tflite.lib.cli import cli

_HDF5_START = b"\x89HDF\r\n\x1a\n"
_ZIP_START = b"PK"
_CONFIG = "config.json"
_METADATA = "metadata.json"
_WEIGHTS = "model.weights.h5"
# What h5py and zipfile raise for damaged files, and what comes of JSON with other content.
UNREADABLE = (
    EOFError,
    OSError,
    KeyError,
    RecursionError,
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
      configuration: its architecture, parsed JSON of whatever form.
    """

    version: str
    ending: str
    configuration: Any

    @property
    def major(self) -> str:
        """The first number of the version."""
        return self.version.partition(".")[0]

    @property
    def classes(self) -> frozenset[str]:
        """Every class that the configuration names, of layers and of what they use."""
        return frozenset(_classes(self.configuration))


def read(path: str, given: str | None = None) -> KerasFile:
    """Reads what a Keras file says of itself.

    Args:
      path: the file.
      given: its name in messages; None for the path.

    Raises:
      cli.UserError: it is not a complete Keras model.
    """
    given = given or path
    content = cli.read_file(path, "Keras model")
    if content.startswith(_HDF5_START):
        ending, described = ".h5", _read_hdf5
    elif content.startswith(_ZIP_START):
        ending, described = ".keras", _read_zip
    else:
        raise cli.UserError(
            f"{given}: is not a Keras model; give a file that model.save(...) wrote, .keras or .h5."
        )
    try:
        version, configuration = described(given, io.BytesIO(content))
        return KerasFile(_text(version), ending, json.loads(_text(configuration)))
    except UNREADABLE as error:
        raise cli.UserError(
            f"{given}: the Keras model cannot be read: {cli.first_line(error)}; it may be truncated"
            " or damaged, get the file again."
        ) from error


def _read_hdf5(given: str, stream: io.BytesIO) -> tuple[Any, Any]:
    """Returns the version of Keras and the model's configuration as JSON."""
    import h5py

    with h5py.File(stream, "r") as stored:
        if "model_config" not in stored.attrs:
            is_weights = "layer_names" in stored.attrs or "layers" in stored
            raise cli.UserError(
                f"{given}: has the weights of a Keras model without its architecture; save the"
                " whole model with model.save."
                if is_weights
                else f"{given}: is an HDF5 file without a Keras model (model_config)."
            )
        # Before 2.0, Keras did not state its version.
        return stored.attrs.get("keras_version", "1"), stored.attrs["model_config"]


def _read_zip(given: str, stream: io.BytesIO) -> tuple[Any, Any]:
    with zipfile.ZipFile(stream) as stored:
        names = stored.namelist()
        if missing := [name for name in (_CONFIG, _METADATA, _WEIGHTS) if name not in names]:
            raise cli.UserError(
                f"{given}: is a zip archive without {missing[0]}, so it is no Keras model; unpack"
                " an archive that holds a model."
            )
        damaged = stored.testzip()
        if damaged:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        return json.loads(stored.read(_METADATA))["keras_version"], stored.read(_CONFIG)


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
