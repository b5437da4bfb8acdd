"""Checks a person's arrays for post-training quantization, and writes them in canonical form.

The file is numpy's .npz with an array [count, ...] for every input, under its name. The same arrays
give the same bytes, whoever wrote them: floating point is float32, which is what models take,
members are sorted, and none is compressed.
"""

from collections.abc import Sequence

import numpy as np
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.values import arrays

# bool, integers of either sign, floating point.
_NUMBERS = "biuf"

_ARRAYS = flags.DEFINE_string("arrays", None, "An .npz, or an .npy with --input.")
_INPUT = flags.DEFINE_string(
    "input", "", "The input that the array of an .npy, or --array, is for."
)
_ARRAY = flags.DEFINE_string("array", "", "The only array of an .npz that is meant, for --input.")
_COUNT = flags.DEFINE_integer(
    "count", 0, "How many samples to take, from the first on; 0 for all.", lower_bound=0
)
_OUTPUT = flags.DEFINE_string("output", None, "The .npz to write.")


def samples(path: str, single: str, count: int, only: str = "") -> dict[str, np.ndarray]:
    """Reads and checks arrays.

    Args:
      path: an .npz, or an .npy.
      single: the input that the array of an .npy, or `only`, is for; "" for an .npz.
      count: how many samples to take, from the first on; 0 for all.
      only: the only array of an .npz that is meant; "" for all.

    Returns:
      Arrays [count, ...] by input.

    Raises:
      cli.UserError: the file cannot be read, has too few samples, or has what is no real number.
    """
    stored = arrays.read(path, "representative dataset", "" if only else single)
    if only:
        names = ", ".join(sorted(name for name, _ in stored))
        stored = [(single, array) for name, array in stored if name == only]
        if not stored:
            raise cli.UserError(f"{path}: has no array {only}; give one of {names}.")
    found = dict(stored)
    if len(found) < len(stored):
        names = sorted(name for name, _ in stored)
        twice = next(name for name in names if names.count(name) > 1)
        raise cli.UserError(f"{path}: has {twice} more than once; give one array for every input.")
    for name, array in stored:
        if array.dtype.kind not in _NUMBERS or not all(array.shape[1:]):
            raise cli.UserError(
                f"{path}: {name} is {array.dtype} {list(array.shape)}; give real numbers"
                " [samples, ...]."
            )
    total = arrays.count(path, found.values())
    if count > total:
        raise cli.UserError(f"{path}: has {total} samples, fewer than --count={count}.")
    taken = {name: _canonical(array[: count or None]) for name, array in found.items()}
    for name, array in taken.items():
        arrays.check_finite(path, name, array)
    return taken


def _canonical(array: np.ndarray) -> np.ndarray:
    kind = np.dtype(np.float32) if array.dtype.kind == "f" else array.dtype
    # A number too large for float32 becomes infinite, which is refused.
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, kind.newbyteorder("<"))


def main(argv: Sequence[str]) -> None:
    """Writes the dataset."""
    del argv
    arrays.write(_OUTPUT.value, samples(_ARRAYS.value, _INPUT.value, _COUNT.value, _ARRAY.value))


if __name__ == "__main__":
    flags.mark_flags_as_required(["arrays", "output"])
    cli.run(main)
