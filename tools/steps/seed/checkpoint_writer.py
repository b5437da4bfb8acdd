"""Writes variables as a TensorFlow checkpoint: only the index and a data file."""

import os
import tempfile
from collections.abc import Mapping

import numpy as np
import tensorflow.compat.v1 as tf

from reproducible_tflite.lib.cli import cli

_FILES = (".data-00000-of-00001", ".index")


def write(prefix: str, values: Mapping[str, np.ndarray]) -> None:
    """Writes PREFIX.index and PREFIX.data-00000-of-00001 with TensorFlow's own SaveV2.

    Equal values give equal bytes: the variables are sorted by name, and no .meta is written, whose
    order is random. Both files get their names only when both are complete, the index last.

    Args:
      prefix: the checkpoint's prefix; its directory must exist.
      values: arrays by variable name.

    Raises:
      UserError: a file cannot be written.
    """
    directory = os.path.dirname(prefix) or "."
    try:
        temporary = tempfile.TemporaryDirectory(prefix=".partial-", dir=directory)
    except OSError as error:
        raise cli.UserError(f"{prefix}: cannot be written: {error.strerror}.") from error
    with temporary:
        partial = os.path.join(temporary.name, "checkpoint")
        try:
            _save(partial, values)
            for suffix in _FILES:
                os.chmod(partial + suffix, 0o644)
                os.replace(partial + suffix, prefix + suffix)
        except (OSError, tf.errors.OpError) as error:
            # A session's error starts with the graph; its context is SaveV2's own error.
            reason = cli.first_line(error.__context__ or error)
            raise cli.UserError(f"{prefix}: cannot be written: {reason}.") from error


def _save(prefix: str, values: Mapping[str, np.ndarray]) -> None:
    names = sorted(values)
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = [tf.placeholder(values[name].dtype, values[name].shape) for name in names]
        save = tf.raw_ops.SaveV2(
            prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=inputs
        )
        session.run(
            save, {tensor: values[name] for tensor, name in zip(inputs, names, strict=True)}
        )
