"""Reads TensorFlow checkpoints and compares them with what a graph needs."""

import glob
import math
import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from reproducible_tflite.lib.cli import cli

_MOVING_AVERAGE = "/ExponentialMovingAverage"


class Variable(NamedTuple):
    """A variable's dtype name and shape."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


def open_checkpoint(prefix: str) -> tf.train.NewCheckpointReader:
    """Opens the checkpoint PREFIX.index, PREFIX.data-*.

    Raises:
      UserError: a file is missing or truncated.
    """
    shards = sorted(glob.glob(glob.escape(prefix) + ".data-?????-of-?????"))
    if not os.path.exists(f"{prefix}.index"):
        raise cli.UserError(f"{prefix}.index: the checkpoint's index is missing.")
    if not shards:
        raise cli.UserError(f"{prefix}.data-00000-of-00001: the checkpoint's data is missing.")
    try:
        reader = tf.train.NewCheckpointReader(prefix)
    except (tf.errors.OpError, RuntimeError) as error:
        raise cli.UserError(
            f"{prefix}.index: is truncated or not a checkpoint index: {cli.first_line(error)}."
        ) from error
    needed = sum(
        math.prod(variable.shape) * tf.as_dtype(variable.dtype).size
        for variable in variables(reader).values()
    )
    stored = sum(os.path.getsize(shard) for shard in shards)
    if stored < needed:
        raise cli.UserError(
            f"{shards[0]}: is truncated: the index lists {needed} bytes of variables, but the data"
            f" files have {stored}."
        )
    return reader


def variables(reader: tf.train.NewCheckpointReader) -> dict[str, Variable]:
    """Returns dtype and shape of every variable by name."""
    shapes = reader.get_variable_to_shape_map()
    types = reader.get_variable_to_dtype_map()
    return {name: Variable(types[name].name, tuple(shapes[name])) for name in sorted(shapes)}


def graph_variables(graph: tf.Graph) -> dict[str, Variable]:
    """Returns dtype and shape of every global variable of a graph by name."""
    global_variables = graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    return {
        variable.op.name: Variable(variable.dtype.base_dtype.name, tuple(variable.shape.as_list()))
        for variable in global_variables
    }


def check_restorable(prefix: str, needed: Mapping[str, Variable]) -> None:
    """Raises UserError unless the checkpoint has every needed variable, in its dtype and shape.

    The checkpoint may have more.
    """
    stored = variables(open_checkpoint(prefix))
    for name in sorted(needed):
        if name not in stored:
            raise cli.UserError(
                f"{prefix}: has no variable {name}, which the graph needs as {needed[name]}; do the"
                " graph and the checkpoint belong together?"
            )
        if stored[name] != needed[name]:
            raise cli.UserError(
                f"{prefix}: the variable {name} is {stored[name]}, but the graph needs"
                f" {needed[name]}; do the graph and the checkpoint belong together?"
            )


def read_values(
    prefix: str, needed: Mapping[str, Variable], averaged: bool = False
) -> dict[str, np.ndarray]:
    """Reads the values of the needed variables.

    Args:
      prefix: the checkpoint.
      needed: dtype and shape of every variable by name.
      averaged: whether to read a variable's moving average where the checkpoint has one, as slim
        does when it evaluates or exports a model trained with `--moving_average_decay`.

    Returns:
      Arrays by name, in the needed dtypes and shapes.

    Raises:
      UserError: the checkpoint does not have them as needed, or is damaged.
    """
    reader = open_checkpoint(prefix)
    sources = {
        name: name + _MOVING_AVERAGE
        if averaged and reader.has_tensor(name + _MOVING_AVERAGE)
        else name
        for name in sorted(needed)
    }
    check_restorable(prefix, {source: needed[name] for name, source in sources.items()})
    try:
        return {name: np.asarray(reader.get_tensor(source)) for name, source in sources.items()}
    except (tf.errors.OpError, RuntimeError) as error:
        raise cli.UserError(f"{prefix}: is damaged: {cli.first_line(error)}.") from error
