"""Inputs on which a model's ranges are measured, or on which it is held against its float form."""

import sys
from collections.abc import Iterator

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.equivalence import inputs
from reproducible_tflite.lib.litert.network import Network, by_input
from reproducible_tflite.lib.values import arrays

# How many samples a quantized model is held against its float form on.
CHECKED = 4


def of(
    network: Network, dataset: str | None, preprocessing: str, count: int = sys.maxsize
) -> Iterator[list[np.ndarray]]:
    """Returns samples of real numbers for every input, in the model's order.

    Args:
      network: the model in floating point.
      dataset: a representative dataset, numpy's .npz with an array [samples, ...] by input; without
        one, pixels, texts or numbers from a fixed seed.
      preprocessing: of pixels, one of `normalization.NAMES`; "" if it is not known.
      count: the maximum number of samples; needed without a dataset.

    Raises:
      cli.UserError: the dataset cannot be read, or is for other inputs.
    """
    if dataset is None:
        return inputs.generated(network.inputs, preprocessing, count)
    known = by_input(network.model)
    stored = dict(arrays.read(dataset, "representative dataset"))
    names = {known.get(name.removesuffix(":0"), known.get(name)): name for name in stored}
    wanted = {port.index: port for port in network.inputs}
    if names.keys() != wanted.keys() or len(names) != len(stored):
        raise cli.UserError(
            f"{dataset}: the representative dataset has the inputs {', '.join(sorted(stored))}, but"
            f" {network.model.source} has {', '.join(port.name for port in network.inputs)}."
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
