"""Inputs for comparing two siblings: pictures, or generated tokens."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from tools.lib.cli import cli
from tools.lib.interpreter.ports import Port
from tools.lib.preprocessing import normalization, photographs, pictures, tokens

# The vocabulary size of BERT's uncased English models.
_VOCABULARY = 30522
_SEED = 1
_PICTURE_RANK = 4

Sample = tuple[str, Mapping[str, np.ndarray]]


def make(
    source: str, ports: Sequence[Port], preprocessing: str, images: Sequence[str], count: int
) -> list[Sample]:
    """Returns samples for a model: a name, and arrays by the inputs' names.

    Args:
      source: the model's name, for messages.
      ports: its inputs.
      preprocessing: one of `normalization.NAMES`.
      images: picture files and folders.
      count: the maximum number of samples.

    Raises:
      cli.UserError: the model takes other inputs, or a picture cannot be read.
    """
    if preprocessing == normalization.TOKENS:
        generated = tokens.samples(count, ports[0].shape[-1], _VOCABULARY, _SEED)
        return [(f"sample {number}", sample) for number, sample in enumerate(generated)]
    shapes = [list(port.shape) for port in ports]
    if len(ports) != 1 or len(shapes[0]) != _PICTURE_RANK or shapes[0][::3] != [1, 3]:
        raise cli.UserError(
            f"{source}: takes {', '.join(map(str, shapes))}, not one RGB picture; give a model"
            " that takes pictures."
        )
    paths = pictures.listed(list(images))[:count]
    pixels = photographs.read(paths, *shapes[0][1:3])
    values = normalization.normalize(pixels, preprocessing)[:, np.newaxis]
    return [
        (os.path.basename(path), {ports[0].name: value})
        for path, value in zip(paths, values, strict=True)
    ]


def value(source: str, sample: Mapping[str, np.ndarray], port: Port) -> np.ndarray:
    """Returns a sample's array for an input.

    Args:
      source: the model's name, for messages.
      sample: arrays by the inputs' names.
      port: the input.

    Raises:
      cli.UserError: the sample has no array of that name and shape.
    """
    array = sample.get(port.name)
    if array is None or array.shape != port.shape:
        raise cli.UserError(
            f"{source}: there are no values for its input {port.name} {list(port.shape)}."
        )
    return array
