"""Measures the differences between a model's outputs and its float sibling's on photographs.

Both run on one thread with TensorFlow Lite's own kernels. Floating-point kernels differ in the last
bits from processor to processor, so all results are rounded far more coarsely.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.preprocessing import normalization, photographs
from reproducible_tflite.lib.quantization_error.error import Error
from reproducible_tflite.lib.quantization_error.exposed import Network
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.model import Model, Tensor

_QUANTILES = {"median": 50, "p90": 90, "p99": 99, "largest": 100}
_DIGITS = 3
# A larger ratio means equality in practice.
_MOST_DECIBELS = 120.0


def rounded(value: float) -> float:
    """Returns a number with three significant digits."""
    return float(f"{value:.{_DIGITS - 1}e}")


def incomparable(model: Model, sibling: Model, preprocessing: str) -> str | None:
    """Returns why two models cannot be compared on photographs, as a sentence; None if they can."""
    if preprocessing == normalization.TOKENS:
        return "They read tokens, but this comparison uses photographs."
    if preprocessing not in normalization.NORMALIZATIONS:
        return "Their preprocessing is not declared."
    graphs = (model.subgraphs[0], sibling.subgraphs[0])
    shapes = [[graph.tensors[index].shape for index in graph.inputs] for graph in graphs]
    pictures = all(len(shape) == 4 and shape[0] == 1 and shape[3] == 3 for shape in shapes[0])
    if len(shapes[0]) != 1 or not pictures:
        return "They do not read one picture."
    if shapes[0] != shapes[1]:
        return f"They read pictures of different shapes, {shapes[0][0]} and {shapes[1][0]}."
    if [end.shape for end in tasks.ends(model)] != [end.shape for end in tasks.ends(sibling)]:
        return "They give outputs of different shapes."
    return None


def _figures(values: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    """Returns the error of an output.

    Args:
      values: float64.
      reference: the float sibling's output, float64 in the same shape.

    Returns:
      Quantiles of the absolute error; the signal-to-error ratio in decibels, None without a signal;
      and the share of equal values.
    """
    apart = np.abs(values - reference)
    at = np.percentile(apart, list(_QUANTILES.values()), method="higher")
    error = Error().add(values, reference)
    return {
        **{name: rounded(float(value)) for name, value in zip(_QUANTILES, at, strict=True)},
        "decibels": min(_MOST_DECIBELS, round(error.decibels, 1)) if error.signal else None,
        # Rounded down, so that 1 means all values.
        "equal": int(1000 * float(np.mean(apart == 0))) / 1000,
    }


def _activations(model: Model) -> list[Tensor]:
    """Returns the quantized outputs of operators, in order of execution."""
    graph = model.subgraphs[0]
    outputs = [graph.tensors[index] for operator in graph.operators for index in operator.outputs]
    return [tensor for tensor in outputs if tensor.dtype in ("INT8", "UINT8") and tensor.scaling[0]]


def _clipped(tensor: Tensor, stored: np.ndarray) -> int:
    """Returns how many values of a quantized activation are at an end of the integers' range.

    An end that stands for 0.0 is not counted, since rectifiers produce it.
    """
    limits = np.iinfo(stored.dtype)
    ends_of_range = [end for end in (limits.min, limits.max) if end != tensor.scaling[1]]
    return int(np.isin(stored, ends_of_range).sum())


def _compare(
    models: Sequence[Model],
    contents: Sequence[bytes],
    sources: Sequence[str],
    preprocessing: str,
    paths: Sequence[str],
) -> dict[str, Any]:
    """Runs a model and its float sibling on photographs, stretched to their input.

    Returns:
      "outputs", each with its name, the float output's range and a row per photograph; and
      "clipped", the share of values at an end of the range, by tensor number.
    """
    compared = [tasks.ends(model) for model in models]
    activations = _activations(models[0])
    shown = ((*compared[0], *activations), compared[1])
    networks = [
        Network(content, source, [tensor.index for tensor in tensors])
        for content, source, tensors in zip(contents, sources, shown, strict=True)
    ]
    rows: list[list[dict[str, Any]]] = [[] for _ in compared[0]]
    errors = [Error() for _ in compared[0]]
    counts = {tensor.index: [0, 0] for tensor in activations}
    _, height, width, _ = networks[0].inputs[0].shape
    for path, pixels in zip(paths, photographs.read(paths, height, width), strict=True):
        for network in networks:
            network.run([normalization.normalize(pixels[np.newaxis], preprocessing)])
        for place, pair in enumerate(zip(*compared, strict=True)):
            values, reference = (
                network.real(tensor.index) for network, tensor in zip(networks, pair, strict=True)
            )
            errors[place].add(values, reference)
            row = {"photograph": os.path.basename(path), **_figures(values, reference)}
            rows[place].append(row)
        for tensor in activations:
            stored = networks[0].stored(tensor.index)
            counts[tensor.index][0] += _clipped(tensor, stored)
            counts[tensor.index][1] += stored.size
    return {
        "outputs": [
            {
                "name": end.name,
                "range": [rounded(error.minimum), rounded(error.maximum)],
                "photographs": photographed,
            }
            for end, error, photographed in zip(compared[0], errors, rows, strict=True)
        ],
        "clipped": {
            str(index): rounded(count / size) for index, (count, size) in sorted(counts.items())
        },
    }


def document(
    model: bytes, sibling: bytes, sources: tuple[str, str], preprocessing: str, paths: Sequence[str]
) -> Mapping[str, Any]:
    """Returns the differences between a model and its float sibling.

    Returns:
      The result of `_compare`, whether it is `before_post_processing`, and the `reason` if the two
      cannot be compared.
    """
    contents = (model, sibling)
    models = [
        reader.read(content, source) for content, source in zip(contents, sources, strict=True)
    ]
    reason = incomparable(*models, preprocessing)
    if reason:
        return {"reason": reason, "outputs": [], "clipped": {}}
    return {
        "reason": None,
        "before_post_processing": tasks.post_processing(models[0]) is not None,
        **_compare(models, contents, sources, preprocessing, paths),
    }
