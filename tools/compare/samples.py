"""What two siblings are run on: pictures, or made-up tokens."""

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tools.lib.cli import cli
from tools.lib.interpreter.interpreter import Port
from tools.lib.preprocessing import normalization, pictures, tokens

# Of BERT's uncased English models.
_VOCABULARY = 30522
_SEED = 1
_PICTURE_RANK = 4

Sample = tuple[str, Mapping[str, np.ndarray]]


def of_tokens(length: int, count: int) -> Iterator[Sample]:
    """Yields the names of made-up inputs and each input's arrays by the names of MobileBERT's."""
    for number, sample in enumerate(tokens.samples(count, length, _VOCABULARY, _SEED)):
        yield f"sample {number}", sample


def of_pictures(port: Port, paths: Sequence[str], preprocessing: str) -> Iterator[Sample]:
    """Yields the names of pictures and the real numbers that a model's one input gets for each.

    Args:
      port: the input, [1, height, width, 3].
      paths: picture files.
      preprocessing: one of `normalization.NORMALIZATIONS`.

    Raises:
      cli.UserError: a picture cannot be read.
    """
    _, height, width, _ = port.shape
    for path in paths:
        pixels = pictures.stretched(pictures.read(path), height, width)
        values = normalization.normalize(pixels, preprocessing)
        yield os.path.basename(path), {port.name: values[np.newaxis]}


def make(
    source: str, ports: Sequence[Port], preprocessing: str, images: Sequence[str], count: int
) -> list[Sample]:
    """Returns the inputs that fit a model.

    Args:
      source: the model's name, for messages.
      ports: its inputs.
      preprocessing: one of `normalization.NAMES`.
      images: picture files and folders.
      count: how many at most.

    Raises:
      cli.UserError: the model takes something else, or a picture cannot be read.
    """
    if preprocessing == normalization.TOKENS:
        return list(of_tokens(ports[0].shape[-1], count))
    shapes = [list(port.shape) for port in ports]
    if len(ports) != 1 or len(shapes[0]) != _PICTURE_RANK or shapes[0][::3] != [1, 3]:
        raise cli.UserError(
            f"{source}: takes {', '.join(map(str, shapes))}, which is no RGB picture; give a"
            " model of pictures."
        )
    return list(of_pictures(ports[0], pictures.listed(list(images))[:count], preprocessing))


def value(source: str, values: Mapping[str, np.ndarray], port: Port) -> np.ndarray:
    """Returns what a sample has for an input.

    Raises:
      cli.UserError: it has nothing of that name, or in another shape.
    """
    found = values.get(port.name)
    if found is None or found.shape != port.shape:
        raise cli.UserError(
            f"{source}: there is nothing to give to its input {port.name} {list(port.shape)}."
        )
    return found
