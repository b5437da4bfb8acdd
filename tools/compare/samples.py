"""Inputs for comparing two siblings: a person's arrays, pictures, tokens, or random numbers."""

import dataclasses
import os
from collections.abc import Iterator, Sequence

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.equivalence import inputs
from reproducible_tflite.lib.interpreter.ports import Port
from reproducible_tflite.lib.preprocessing import normalization, photographs, pictures
from reproducible_tflite.lib.values import arrays as array_files

# If there are more pictures, the title has their number instead of their names.
_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Siblings:
    """The inputs of two siblings, in the models' order.

    Attributes:
      sources: the models' names, for messages: the float model's first.
      left: the float model's inputs.
      right: the quantized model's.
    """

    sources: tuple[str, str]
    left: tuple[Port, ...]
    right: tuple[Port, ...]

    def check(self) -> None:
        """Checks that both take the same inputs.

        Raises:
          cli.UserError: they do not.
        """
        shapes = [[list(port.shape) for port in side] for side in (self.left, self.right)]
        if shapes[0] != shapes[1]:
            raise cli.UserError(
                f"{self.sources[0]} takes inputs of shape {shapes[0]}, but {self.sources[1]} takes"
                f" {shapes[1]}; give a float model and its quantized sibling."
            )

    def takes_picture(self) -> bool:
        """Returns whether they take one RGB picture."""
        shape = self.left[0].shape
        return len(self.left) == 1 and len(shape) == 4 and shape[::3] == (1, 3)

    def takes_tokens(self) -> bool:
        """Returns whether they take a question and a context, as BERT's models do."""
        return inputs.takes_tokens(self.left)


@dataclasses.dataclass(frozen=True)
class Samples:
    """Inputs to run.

    Attributes:
      title: what they are, such as "5 random inputs".
      count: how many there are.
      named: each one's name, and the real numbers for every input in the models' order.
    """

    title: str
    count: int
    named: Iterator[tuple[str, list[np.ndarray]]]


def of_file(path: str, siblings: Siblings, count: int) -> Samples:
    """Reads a person's arrays.

    Args:
      path: numpy's .npz, with an array [count, ...] of real numbers for every input by its name in
        one of the models.
      siblings: the models' inputs.
      count: the maximum number of samples.

    Raises:
      cli.UserError: the file cannot be read, or has arrays for other inputs.
    """
    arrays = dict(array_files.read(path, "samples"))
    sides = [[port.name for port in side] for side in (siblings.left, siblings.right)]
    names = next((side for side in sides if set(side) == set(arrays)), None)
    if names is None:
        raise cli.UserError(
            f"{path}: has arrays for {', '.join(arrays) or 'nothing'}, but {siblings.sources[0]}"
            f" has the inputs {', '.join(sides[0])}."
        )
    for name, port in zip(names, siblings.left, strict=True):
        array = arrays[name]
        is_list = array.dtype.kind in "biuf" and array.ndim > 0
        if not is_list or (1, *array.shape[1:]) != port.shape:
            raise cli.UserError(
                f"{path}: {name} is {array.dtype} {list(array.shape)}, but {siblings.sources[0]}"
                f" takes {list(port.shape)}; give numbers [samples, ...]."
            )
    total = min(count, array_files.count(path, arrays.values()))
    return Samples(
        f"{total} samples of {os.path.basename(path)}",
        total,
        ((f"sample {i}", [arrays[name][i : i + 1] for name in names]) for i in range(total)),
    )


def of_pictures(
    images: Sequence[str], siblings: Siblings, preprocessing: str, count: int
) -> Samples:
    """Reads pictures.

    Args:
      images: picture files and folders.
      siblings: the models' inputs.
      preprocessing: one of `normalization.NORMALIZATIONS`; "" if it is not known.
      count: the maximum number of samples.

    Raises:
      cli.UserError: the models take other inputs, the preprocessing is not known, or a picture
        cannot be read.
    """
    source = siblings.sources[0]
    if not siblings.takes_picture():
        shapes = ", ".join(str(list(port.shape)) for port in siblings.left)
        raise cli.UserError(
            f"{source}: takes {shapes}, not one RGB picture; leave --images out, or give"
            " --samples=FILE.npz."
        )
    if preprocessing not in normalization.NORMALIZATIONS:
        raise cli.UserError(
            f"{source}: its preprocessing is not known; give --preprocessing="
            f"{'|'.join(sorted(normalization.NORMALIZATIONS))}, or --samples=FILE.npz."
        )
    paths = pictures.listed(list(images))[:count]
    pixels = photographs.read(paths, *siblings.left[0].shape[1:3])
    names = [os.path.basename(path) for path in paths]
    values = normalization.normalize(pixels, preprocessing)
    title = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} pictures"
    named = zip(names, ([value[np.newaxis]] for value in values), strict=True)
    return Samples(title, len(names), named)


def of_tokens(siblings: Siblings, count: int) -> Samples:
    """Makes tokens for models of `Siblings.takes_tokens`."""
    named = ((f"text {k}", text) for k, text in enumerate(inputs.texts(siblings.left, count)))
    return Samples(f"{count} texts of random words", count, named)


def of_random(siblings: Siblings, count: int) -> Samples:
    """Makes random numbers for models of any inputs, in the range of the quantized one."""
    pairs = list(zip(siblings.left, siblings.right, strict=True))
    return Samples(
        f"{count} random inputs",
        count,
        (
            (f"random input {number}", [inputs.noise(number, *pair) for pair in pairs])
            for number in range(count)
        ),
    )
