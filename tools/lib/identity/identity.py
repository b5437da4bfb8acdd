"""A model's identity: `NAME.identity.json`, which its target writes (output group `identity`).

Tools rely on this alone; a .tflite's description is text for people. The fields are those that
tools/tflite/private/identity.bzl writes.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import normalization

GROUP = "identity"
SEEDED, RELEASED, OWN = "seeded", "released", "own"
_WEIGHTS = (SEEDED, RELEASED, OWN)


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a model is.

    Attributes:
      name: its target's name, as in `mobiledet_qat`.
      weights: `SEEDED`, `RELEASED`, or `OWN` for others, which whoever builds the model brings.
      preprocessing: what its input expects, one of `normalization.NAMES`; "" if its graph does not
        name one.
      tensorflow: the TensorFlow version that converted it, as in `2.15.1`; "" if it was not
        converted here.
      interpreter: the CPython on which it was converted: `hermetic`, or one of the machine's; ""
        likewise.

    Raises:
      ValueError: a field is not a string or has an unknown value.
    """

    name: str
    weights: str
    preprocessing: str
    tensorflow: str
    interpreter: str

    def __post_init__(self) -> None:
        for field, value in dataclasses.asdict(self).items():
            if not isinstance(value, str):
                raise ValueError(f"{field} is {value!r} instead of a text")
        if self.weights not in _WEIGHTS:
            raise ValueError(f"weights is {self.weights!r} instead of one of {', '.join(_WEIGHTS)}")
        if self.preprocessing not in ("", *normalization.NAMES):
            known = ", ".join(normalization.NAMES)
            raise ValueError(f"preprocessing is {self.preprocessing!r} instead of one of {known}")


def read(path: str) -> Identity:
    """Reads the identity file that a `tflite_model` or `tflite_file` writes.

    Raises:
      cli.UserError: the file cannot be read, or is not an identity.
    """
    content = cli.read_file(path, "identity")
    try:
        return Identity(**json.loads(content))
    except (RecursionError, TypeError, ValueError) as error:
        raise cli.UserError(
            f"{path}: not a model's identity: {cli.first_line(error)}; build the model again."
        ) from error


def of_target(files: Mapping[str, Sequence[str]]) -> Identity | None:
    """Returns the identity that a target wrote; None if it is no model.

    `files` are its output paths by output group; `GROUP` must have been requested.

    Raises:
      cli.UserError: see `read`.
    """
    paths = files.get(GROUP, ())
    return read(paths[0]) if paths else None
