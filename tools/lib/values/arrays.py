"""Arrays by name in numpy's .npz files, one sample after the other along their first axis."""

import zipfile
import zlib
from collections.abc import Iterable

import numpy as np

from reproducible_tflite.lib.cli import cli

# What numpy raises for other files, an .npy or a member that is no array, an encrypted or damaged
# archive, or one of an unknown compression (NotImplementedError is a RuntimeError).
_UNREADABLE = (
    AttributeError,
    EOFError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def read(path: str, what: str) -> list[tuple[str, np.ndarray]]:
    """Reads an .npz.

    Args:
      path: as a person gave it, see `cli.callers_path`.
      what: what it is, for messages, such as "representative dataset".

    Returns:
      (name, array) for every member; a name may occur twice.

    Raises:
      cli.UserError: the file cannot be read.
    """
    try:
        with np.load(cli.callers_path(path), allow_pickle=False) as stored:
            return [(name, stored[name]) for name in stored.files]
    except _UNREADABLE as error:
        raise cli.UserError(
            f"{path}: the {what} cannot be read: {cli.first_line(error)}; give a file of"
            " numpy.savez."
        ) from error


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
