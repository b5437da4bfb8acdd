"""Inputs on which a model's ranges are measured, or on which it is held against its float form."""

import sys
from collections.abc import Iterator, Mapping

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.equivalence import inputs
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.litert.network import Network, by_input
from reproducible_tflite.lib.values import arrays

# How many samples a quantized model is held against its float form on.
CHECKED = 4


def of(
    network: Network | Interpreter,
    dataset: str | None,
    preprocessing: str,
    count: int = sys.maxsize,
) -> Iterator[list[np.ndarray]]:
    """Returns samples of real numbers for every input, in the model's order.

    Args:
      network: the model in floating point.
      dataset: a representative dataset, numpy's .npz with an array [samples, ...] by input; without
        one, pixels, texts or numbers from a fixed seed.
      preprocessing: of pixels, one of `normalization.NAMES`; "" if it is not known.
      count: the maximum number of samples, see `inputs.of_dataset`; needed without a dataset.

    Raises:
      cli.UserError: the dataset cannot be read, or is for other inputs.
    """
    if dataset is None:
        return inputs.generated(network.inputs, preprocessing, count)
    stored = dict(arrays.read(dataset, "representative dataset"))
    return of_arrays(network, stored, dataset, preprocessing, count)


def of_arrays(
    network: Network | Interpreter,
    stored: Mapping[str, np.ndarray],
    dataset: str,
    preprocessing: str,
    count: int = sys.maxsize,
) -> Iterator[list[np.ndarray]]:
    """Returns samples as `of` does.

    Args:
      network: the model in floating point.
      stored: the arrays of a dataset.
      dataset: its path, for messages.
      preprocessing: see `of`.
      count: see `of`.

    Raises:
      cli.UserError: they are for other inputs.
    """
    known = by_input(network.model)
    names = {known.get(name.removesuffix(":0"), known.get(name)): name for name in stored}
    wanted = {port.index: port for port in network.inputs}
    if names.keys() != wanted.keys() or len(names) != len(stored):
        raise cli.UserError(
            f"{dataset}: has the inputs {', '.join(sorted(stored))}, but {network.model.source} has"
            f" {', '.join(port.name for port in network.inputs)}."
        )
    arrays.count(dataset, stored.values())
    for index, port in wanted.items():
        array = stored[names[index]]
        if array.shape[1:] != port.shape[1:] or array.dtype.kind not in "biuf":
            raise cli.UserError(
                f"{dataset}: {names[index]} is {array.dtype} {list(array.shape)}, but"
                f" {network.model.source} takes {list(port.shape)}; give numbers [samples, ...]."
            )
        if array.dtype.kind == "f":
            arrays.check_finite(dataset, names[index], array)
    ordered = [names[port.index] for port in network.inputs]
    return inputs.of_dataset(stored, ordered, preprocessing, count)
