"""What two siblings are run on: pictures, or made-up tokens."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from tools.lib.cli import cli
from tools.lib.interpreter.interpreter import Port
from tools.lib.preprocessing import normalization, photographs, pictures, tokens

# Of BERT's uncased English models.
_VOCABULARY = 30522
_SEED = 1
_PICTURE_RANK = 4

Sample = tuple[str, Mapping[str, np.ndarray]]


def make(
    source: str, ports: Sequence[Port], preprocessing: str, images: Sequence[str], count: int
) -> list[Sample]:
    """Returns inputs that fit a model: a name, and real numbers by the inputs' names.

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
        made = tokens.samples(count, ports[0].shape[-1], _VOCABULARY, _SEED)
        return [(f"sample {number}", sample) for number, sample in enumerate(made)]
    shapes = [list(port.shape) for port in ports]
    if len(ports) != 1 or len(shapes[0]) != _PICTURE_RANK or shapes[0][::3] != [1, 3]:
        raise cli.UserError(
            f"{source}: takes {', '.join(map(str, shapes))}, which is no RGB picture; give a"
            " model of pictures."
        )
    paths = pictures.listed(list(images))[:count]
    pixels = photographs.read(paths, *shapes[0][1:3])
    values = normalization.normalize(pixels, preprocessing)[:, np.newaxis]
    return [
        (os.path.basename(path), {ports[0].name: value})
        for path, value in zip(paths, values, strict=True)
    ]


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
