"""The ranges of a network's activations."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.litert import samples
from reproducible_tflite.lib.litert.network import Network
from reproducible_tflite.lib.tflite_file.model import FLOATING, Model
from reproducible_tflite.lib.values import rounding


def measured(
    content: bytes, model: Model, dataset: str, preprocessing: str
) -> Mapping[str, Mapping[str, Any]]:
    """Returns the least and the greatest value of each activation over all samples.

    litert-quantizer's own calibrator takes kernels that depend on the processor, and lets the last
    samples weigh more.

    Args:
      content: the .tflite in floating point.
      model: its contents.
      dataset: the path of a representative dataset.
      preprocessing: see `samples.of`.

    Returns:
      Arrays of one number, "min" and "max", by the tensor's name, as litert-quantizer takes them.

    Raises:
      cli.UserError: the dataset is unreadable or for another model, which may not run.
    """
    if len(model.subgraphs) > 1:
        raise cli.UserError(
            f"{model.source}: has {len(model.subgraphs)} subgraphs; ranges are measured of models"
            ' with one, so give a recipe with method = "dynamic".'
        )
    graph = model.subgraphs[0]
    tensors = [
        tensor.index
        for tensor in graph.tensors
        if tensor.dtype in FLOATING and tensor.role in ("input", "inner", "output")
    ]
    network = Network(content, model, tensors, reference=True)
    extremes: dict[int, tuple[float, float]] = {}
    for values in samples.of(network, dataset, preprocessing):
        network.run(values)
        for index in tensors:
            array = network.stored(index)
            least, greatest = extremes.get(index, (np.inf, -np.inf))
            extremes[index] = (
                min(least, float(array.min(initial=np.inf))),
                max(greatest, float(array.max(initial=-np.inf))),
            )
    found = {}
    for index, pair in extremes.items():
        if not np.isfinite(pair).all():
            raise cli.UserError(
                f"{model.source}: {graph.tensors[index].name} has values that are not finite"
                f" numbers on {dataset}."
            )
        least, greatest = rounding.calibrated_range(*pair)
        found[graph.tensors[index].name] = {"min": np.array([least]), "max": np.array([greatest])}
    return found
