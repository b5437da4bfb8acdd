"""A lock of models: the digest and size of each model's file, so that changes are noticed.

There is a row for each model, kind of weights and TensorFlow version. `models/models.lock.json` is
the catalogue's; another repository has its own (`lock` of `tflite_model`).
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from reproducible_tflite.lib.bazel import labels
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.lock import stability
from reproducible_tflite.lib.tflite_file import reader

PATH = "models/models.lock.json"
# The apparent name, which is for people, is the same in every repository.
_HEADER = "Written by: bazel run @reproducible_tflite//tools/audit:update_lock"


@dataclasses.dataclass(frozen=True, order=True)
class Key:
    """What selects a model's row.

    Attributes:
      target: its label in its own repository, as in `//models/mobiledet:mobiledet_qat`.
      weights: see `Identity.weights`.
      tensorflow: see `Identity.tensorflow`.
    """

    target: str
    weights: str
    tensorflow: str

    @property
    def name(self) -> str:
        """The target's name."""
        return self.target.rpartition(":")[2]

    def __str__(self) -> str:
        converter = f"TensorFlow {self.tensorflow}" if self.tensorflow else "not converted here"
        return f"{self.target} ({self.weights} weights, {converter})"


@dataclasses.dataclass(frozen=True)
class Row:
    """A model's file.

    Attributes:
      sha256: of the canonical .tflite.
      size: of the canonical .tflite, in bytes.
      raw_sha256: of the converter's file; None if that file may differ from run to run.
      minimum_runtime: the oldest TensorFlow Lite that runs it, from its metadata; None if they do
        not state one.
    """

    sha256: str
    size: int
    raw_sha256: str | None
    minimum_runtime: str | None


Lock = dict[Key, Row]


def row(model: bytes, raw: bytes, tensorflow: str) -> Row:
    """Returns the row of a canonical model and of the raw file as the converter wrote it.

    Raises:
      cli.UserError: the model cannot be read.
    """
    stable = stability.raw_is_stable(tensorflow)
    return Row(
        sha256=hashlib.sha256(model).hexdigest(),
        size=len(model),
        raw_sha256=hashlib.sha256(raw).hexdigest() if stable else None,
        minimum_runtime=reader.read(model, "model").minimum_runtime,
    )


def key(label: str, identity: Identity) -> Key:
    """Returns the key of a model's row.

    Args:
      label: the model's target; a repository in it is left out, as a lock is a repository's own.
      identity: the model's identity.
    """
    return Key(labels.in_its_repository(label), identity.weights, identity.tensorflow)


def parse(content: bytes, path: str) -> Lock:
    """Reads a lock; `{}` is one without rows.

    Raises:
      cli.UserError: the content is not JSON, or does not have the form of a lock.
    """
    lock = {}
    try:
        document = json.loads(content)
        for target, kinds in document["models"].items() if document != {} else ():
            for weights, versions in kinds.items():
                for version, fields in versions.items():
                    lock[Key(target, weights, version)] = Row(**fields)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise cli.UserError(
            f"{path}: not a lock of models: {cli.first_line(error)}; restore it with git."
        ) from error
    return lock


def text(lock: Mapping[Key, Row]) -> str:
    """Returns a lock as JSON: sorted, with one field per line, so that diffs are easy to read."""
    models: dict[str, Any] = {}
    for place, value in sorted(lock.items()):
        kinds = models.setdefault(place.target, {})
        kinds.setdefault(place.weights, {})[place.tensorflow] = dataclasses.asdict(value)
    return json.dumps({"": _HEADER, "models": models}, indent=2) + "\n"


def differences(expected: Row, actual: Row) -> list[str]:
    """Returns a line for each field that differs; an empty list if none does."""
    return [
        f"{field.name.replace('_', ' ')}: {old} in the lock, {new} built"
        for field in dataclasses.fields(Row)
        if (old := getattr(expected, field.name)) != (new := getattr(actual, field.name))
    ]
