"""Builds models and computes their rows of a lock."""

import dataclasses
from collections.abc import Sequence

from reproducible_tflite.lib.bazel import building
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity import identity
from reproducible_tflite.lib.lock import models_lock


@dataclasses.dataclass(frozen=True)
class BuiltModel:
    """A model that was built: its target and the paths of the canonical and the raw file."""

    label: str
    model: str
    raw: str


def build(
    targets: Sequence[str],
    options: Sequence[str],
    groups: Sequence[str] = (),
    startup_options: Sequence[str] = (),
) -> dict[models_lock.Key, BuiltModel]:
    """Builds models; the arguments are those of `building.build_all`.

    An alias is no label of a lock; `building.models` resolves it.

    Returns:
      The models by their keys in the lock.

    Raises:
      cli.UserError: the build failed, or a target is not a model.
    """
    models = {}
    for built in building.build_all(
        targets, options, [identity.GROUP, "raw", *groups], startup_options=startup_options
    ):
        written = identity.of_target(built.files)
        if written is None:
            raise cli.UserError(
                f"{built.label}: not a model; give labels of `tflite_model` or `tflite_file`."
            )
        models[models_lock.key(built.label, written)] = BuiltModel(
            built.label, built.files["default"][0], built.files["raw"][0]
        )
    return models


def row(key: models_lock.Key, built: BuiltModel) -> models_lock.Row:
    """Returns a built model's row in the lock."""
    return models_lock.row(
        cli.read_file(built.model, "model"),
        cli.read_file(built.raw, "converted model"),
        key.tensorflow,
    )
