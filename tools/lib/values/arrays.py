"""Arrays by name in numpy's .npz files, one sample after the other along their first axis."""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping

import numpy as np

from reproducible_tflite.lib.cli import cli, content

# What numpy raises for other files, an encrypted or damaged archive, or one of an unknown
# compression (NotImplementedError is a RuntimeError). A header may claim any size.
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def read(path: str, what: str, single: str = "") -> list[tuple[str, np.ndarray]]:
    """Reads an .npz, or an .npy.

    Args:
      path: as a person gave it, see `cli.callers_path`.
      what: what it is, for messages, such as "representative dataset".
      single: the name for the one array of an .npy; if it is empty, only an .npz is read.

    Returns:
      (name, array) for every member; a name may occur twice.

    Raises:
      cli.UserError: the file cannot be read.
    """
    place = ""
    arrays = []
    try:
        with open(cli.callers_path(path), "rb") as stream:
            cli.check_download(stream.read(content.ENOUGH), path)
            stream.seek(0)
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray) != bool(single):
                raise ValueError(f"it is an {'.npz' if single else '.npy'}")
            if single:
                return [(single, loaded)]
            for name in loaded.files:
                place = f"{name}: "
                if not isinstance(array := loaded[name], np.ndarray):
                    raise ValueError("it is no array")
                arrays.append((name, array))
    except _UNREADABLE as error:
        raise cli.UserError(
            f"{path}: the {what} cannot be read: {place}{cli.first_line(error)}; give a file of"
            f" numpy.save{'' if single else 'z'}."
        ) from error
    return arrays


def write(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an .npz: the same bytes for the same arrays, in whatever order they are given.

    Unlike numpy.savez, it takes any name; savez has a parameter `file`.

    Args:
      path: the file to write.
      arrays: by name; none of objects.

    Raises:
      cli.UserError: the file cannot be written.
    """
    with cli.output_file(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, array in sorted(arrays.items()):
            # Opened by its name, a member has zip's first time stamp, 1980-01-01.
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def count(path: str, arrays: Iterable[np.ndarray]) -> int:
    """Returns the number of samples in arrays [count, ...].

    Args:
      path: where they come from, for messages.
      arrays: an array for every input.

    Raises:
      cli.UserError: there is no sample, or the arrays have different numbers of them.
    """
    counts = {array.shape[:1] for array in arrays}
    if len(counts) != 1 or counts & {(), (0,)}:
        raise cli.UserError(
            f"{path}: needs at least one sample, and the same number for every input."
        )
    return counts.pop()[0]


def check_finite(path: str, name: str, array: np.ndarray) -> None:
    """Checks the numbers of an array [count, ...].

    On others, TensorFlow's converter ends without a message
    (https://github.com/tensorflow/tensorflow/issues/120295).

    Args:
      path: where it comes from, for messages.
      name: the input's name, for messages.
      array: of real numbers.

    Raises:
      cli.UserError: one is NaN or infinite.
    """
    bad = ~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if bad.any():
        raise cli.UserError(
            f"{path}: sample {bad.argmax()} of {name} (the first is 0) has NaN or an infinite"
            " number, on which no range can be measured; leave it out, or correct it."
        )
