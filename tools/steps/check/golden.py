"""Holds a model against its row in `models/models.lock.json`; `NAME.golden_test` runs it."""

from collections.abc import Sequence

from absl import flags

from tools.lib.cli import cli
from tools.lib.lock import models_lock

_IDENTITY = flags.DEFINE_string("identity", None, "What the model is.")
_LOCK = flags.DEFINE_string("lock", None, "The lock.")
_MODEL = flags.DEFINE_string("model", None, "The canonical .tflite.")
_RAW = flags.DEFINE_string("raw", None, "The .tflite as it was converted.")


def command(identity: models_lock.Identity) -> str:
    """Returns the command that writes the row of a model anew."""
    released = " --bazel_flag=--config=released" if identity.weights == "released" else ""
    return f"bazel run //tools/audit:update_lock -- //models:{identity.name}{released}"


def main(argv: Sequence[str]) -> None:
    """Compares.

    Raises:
      cli.UserError: the model has no row, or another one.
    """
    del argv
    identity = models_lock.identity(cli.read_file(_IDENTITY.value, "identity"), _IDENTITY.value)
    lock = models_lock.parse(cli.read_file(_LOCK.value, "lock"), _LOCK.value)
    found = models_lock.row(
        cli.read_file(_MODEL.value, "model"),
        cli.read_file(_RAW.value, "converted model"),
        identity.tensorflow,
    )
    if identity not in lock:
        raise cli.UserError(
            f"{identity} is not in {models_lock.PATH}. Add it with: {command(identity)}"
        )
    different = models_lock.differences(lock[identity], found)
    if different:
        raise cli.UserError(
            f"{identity} is not the file that {models_lock.PATH} names ({'; '.join(different)}). "
            f"If that is meant, this says what changed and locks it: {command(identity)}"
        )
    print(f"{identity}: sha256 {found.sha256}, {found.size} bytes, as locked.")


if __name__ == "__main__":
    flags.mark_flags_as_required(["identity", "lock", "model", "raw"])
    cli.run(main)
