"""Inputs on which two networks are compared: a dataset's, pixels, texts or random numbers."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from reproducible_tflite.lib.interpreter.ports import Port
from reproducible_tflite.lib.preprocessing import normalization, tokens
from reproducible_tflite.lib.values import weights

# The vocabulary size of BERT's uncased English models.
_VOCABULARY = 30522
_SEED = 1
_TOKEN_INPUTS = {"input_ids", "input_mask", "segment_ids"}


def takes_tokens(ports: Sequence[Port]) -> bool:
    """Returns whether a model takes a question and a context, as BERT's models do."""
    return {port.name for port in ports} == _TOKEN_INPUTS and all(
        port.dtype.kind == "i" and port.shape == (1, max(port.shape[-1], tokens.LEAST_LENGTH))
        for port in ports
    )


def texts(ports: Sequence[Port], count: int) -> Iterator[list[np.ndarray]]:
    """Yields texts of random words for a model of `takes_tokens`."""
    for sample in tokens.samples(count, ports[0].shape[-1], _VOCABULARY, _SEED):
        yield [sample[port.name] for port in ports]


def noise(number: int, port: Port, like: Port) -> np.ndarray:
    """Returns random numbers.

    Args:
      number: the sample's number.
      port: the input.
      like: the input whose range they have, if it is quantized; else they are from -1 to 1.
    """
    if port.dtype.kind != "f" and not port.scale:
        # One is a valid index into most tables.
        return np.ones(port.shape, port.dtype)
    values = weights.uniform(_SEED, f"{number}/{port.name}", port.shape)
    if not like.scale:
        return values
    limits = np.iinfo(like.dtype)
    low, high = like.real(np.array([limits.min, limits.max]))
    return low + (values + 1) / 2 * (high - low)


def generated(ports: Sequence[Port], preprocessing: str, count: int) -> Iterator[list[np.ndarray]]:
    """Yields samples of real numbers for every input.

    Args:
      ports: the model's inputs.
      preprocessing: of its pixels, one of `normalization.NAMES`; "" if it is not known.
      count: how many samples.
    """
    if takes_tokens(ports):
        yield from texts(ports, count)
        return
    for number in range(count):
        values = [noise(number, port, port) for port in ports]
        if preprocessing in normalization.NORMALIZATIONS and not ports[0].scale:
            pixels = np.floor((values[0] + 1) * 128)
            values[0] = normalization.normalize(pixels, preprocessing)
        yield values


def of_dataset(
    arrays: Mapping[str, np.ndarray], names: Sequence[str], preprocessing: str, count: int
) -> Iterator[list[np.ndarray]]:
    """Yields samples from all over a representative dataset, which may be in order of its classes.

    Args:
      arrays: [samples, ...] by input.
      names: the inputs' names there, in the model's order.
      preprocessing: of pixels, as for `generated`.
      count: the maximum number of samples; the first is always there.
    """
    total = len(next(iter(arrays.values())))
    for number in range(0, total, max(1, total // count))[:count]:
        values = [arrays[name][number : number + 1] for name in names]
        if preprocessing in normalization.NORMALIZATIONS:
            values = [normalization.normalize(value, preprocessing) for value in values]
        yield values
