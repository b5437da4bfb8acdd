"""The runfiles of the running program."""

import pathlib

# Among the runfiles, external repositories are next to this one.
_ROOT = pathlib.Path(__file__).absolute().parents[4]


def repository(name: str) -> pathlib.Path:
    """Returns the folder of an external repository.

    Args:
      name: its name after `reproducible_tflite_`. As part of a module it has a prefix for Bazel.
    """
    name = f"reproducible_tflite_{name}"
    return next(_ROOT.glob(f"*[~+]{name}"), _ROOT / name)


def own(path: str) -> pathlib.Path:
    """Returns a runfile of this repository.

    Args:
      path: its path in this repository.
    """
    return pathlib.Path(__file__).absolute().parents[3] / path
