"""Holds a model against its row in `models/models.lock.json`; `NAME.golden_test` runs it."""

from collections.abc import Sequence

from absl import flags

from tools.lib.cli import cli
from tools.lib.identity import identity
from tools.lib.lock import models_lock

_IDENTITY = flags.DEFINE_string("identity", None, "What the model is, as its target writes it.")
_LOCK = flags.DEFINE_string("lock", None, "The lock.")
_MODEL = flags.DEFINE_string("model", None, "The canonical .tflite.")
_RAW = flags.DEFINE_string("raw", None, "The .tflite as it was converted.")


def command(key: models_lock.Key) -> str:
    """Returns the command that writes the row of a model anew."""
    released = " --bazel_flag=--config=released" if key.weights == identity.RELEASED else ""
    return f"bazel run //tools/audit:update_lock -- //models:{key.name}{released}"


def main(argv: Sequence[str]) -> None:
    """Compares.

    Raises:
      cli.UserError: the model has no row, or another one.
    """
    del argv
    key = models_lock.key(identity.read(_IDENTITY.value))
    lock = models_lock.parse(cli.read_file(_LOCK.value, "lock"), _LOCK.value)
    found = models_lock.row(
        cli.read_file(_MODEL.value, "model"),
        cli.read_file(_RAW.value, "converted model"),
        key.tensorflow,
    )
    if key not in lock:
        raise cli.UserError(f"{key} is not in {models_lock.PATH}. Add it with: {command(key)}")
    different = models_lock.differences(lock[key], found)
    if different:
        raise cli.UserError(
            f"{key} is not the file that {models_lock.PATH} names ({'; '.join(different)}). "
            f"If that is meant, this says what changed and locks it: {command(key)}"
        )
    print(f"{key}: sha256 {found.sha256}, {found.size} bytes, as locked.")


if __name__ == "__main__":
    flags.mark_flags_as_required(["identity", "lock", "model", "raw"])
    cli.run(main)
