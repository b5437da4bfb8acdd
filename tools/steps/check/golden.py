"""Compares a model with its row in its lock; `NAME.golden_test` runs it."""

import os
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.bazel import labels
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity import identity
from reproducible_tflite.lib.lock import models_lock

_CHOOSES_RELEASED = flags.DEFINE_bool(
    "chooses_released", False, "Whether the build chooses published weights where there are two."
)
_IDENTITY = flags.DEFINE_string("identity", None, "The model's identity, from its target.")
_LOCK = flags.DEFINE_string("lock", None, "The lock.")
_MODEL = flags.DEFINE_string("model", None, "The canonical .tflite.")
_TARGET = flags.DEFINE_string("target", None, "The model's label in the workspace.")
_RAW = flags.DEFINE_string("raw", None, "The .tflite as the converter wrote it.")


def advice(key: models_lock.Key, lock: str) -> str:
    """Returns how to update a model's row in a lock: in its repository, with which command."""
    place, own = "", labels.own
    repository = labels.repository(_TARGET.value)
    if repository:
        place = f", in the repository {repository},"
        lock = lock.removeprefix(f"../{repository}/")
        is_own = repository == labels.repository(labels.own("//"))
        own = "{}".format if is_own else "@reproducible_tflite{}".format
    command = f"bazel run {own('//tools/audit:update_lock')} -- {key.target} --lock={lock}"
    if _CHOOSES_RELEASED.value:
        command += f" --bazel_flag=--{own('//models:weights')}=released"
    return f"{place} with: {command}"


def main(argv: Sequence[str]) -> None:
    """Compares the model with its row.

    Raises:
      cli.UserError: the model has no row, or differs from it.
    """
    del argv
    key = models_lock.key(_TARGET.value, identity.read(_IDENTITY.value))
    lock = {}
    # It is made with its first row.
    if os.path.exists(_LOCK.value):
        lock = models_lock.parse(cli.read_file(_LOCK.value, "lock"), _LOCK.value)
    row = models_lock.row(
        cli.read_file(_MODEL.value, "model"),
        cli.read_file(_RAW.value, "converted model"),
        key.tensorflow,
    )
    if key not in lock:
        raise cli.UserError(f"{key} is not in {_LOCK.value}. Add it{advice(key, _LOCK.value)}")
    different = models_lock.differences(lock[key], row)
    if different:
        raise cli.UserError(
            f"{key} is not the file in {_LOCK.value} ({'; '.join(different)}). "
            f"If that is intended, explain the change and lock it{advice(key, _LOCK.value)}"
        )
    cli.say(f"{key}: sha256 {row.sha256}, {row.size} bytes, as locked.")


if __name__ == "__main__":
    flags.mark_flags_as_required(["identity", "lock", "model", "raw", "target"])
    cli.run(main)
