"""Builds models and tells of each what a row of `models/models.lock.json` says."""

import dataclasses
from collections.abc import Sequence

from tools.lib.bazel import building
from tools.lib.cli import cli
from tools.lib.identity import identity
from tools.lib.lock import models_lock


@dataclasses.dataclass(frozen=True)
class Made:
    """A model that was built.

    Attributes:
      label: its target.
      model: the canonical file's path.
      raw: the path of the converter's own file.
    """

    label: str
    model: str
    raw: str


def make(
    targets: Sequence[str],
    options: Sequence[str],
    groups: Sequence[str] = (),
    startup_options: Sequence[str] = (),
) -> dict[models_lock.Key, Made]:
    """Builds models.

    Args:
      targets: labels or patterns.
      options: further options for `bazel build`.
      groups: output groups that are built too.
      startup_options: Bazel's startup options besides those of --bazel.

    Raises:
      cli.UserError: the build failed, or a target is no model.
    """
    models = {}
    for built in building.build_all(
        targets, options, [identity.GROUP, "raw", *groups], startup_options=startup_options
    ):
        written = identity.of_target(built.files)
        if written is None:
            raise cli.UserError(f"{built.label}: is no model; give labels of `tflite_model`.")
        models[models_lock.key(written)] = Made(
            built.label, built.files["default"][0], built.files["raw"][0]
        )
    return models


def row(key: models_lock.Key, made: Made) -> models_lock.Row:
    """Returns the row of a model that was built."""
    return models_lock.row(
        cli.read_file(made.model, "model"),
        cli.read_file(made.raw, "converted model"),
        key.tensorflow,
    )
