"""Writes pictures for post-training quantization, at the size of a model's input.

The file is numpy's .npz with one array, uint8 [count, height, width, 3], RGB, under the name of the
model's input. The converter normalises; float pictures would be four times as large.

The bytes are the same on every machine. Pillow, whose wheel brings its own decoders, is pinned and
resizes with fixed-point coefficients. A PNG is lossless. For a JPEG, libjpeg-turbo (3.2.0) chooses
its code by the CPU. With the integer transform and the interpolated chroma, which are its defaults
and Pillow's, each code gives the same bits: 103 JPEGs (five qualities, three chroma samplings,
baseline and progressive, grey, RGB, CMYK, restart markers) decode to the same pixels with AVX2,
with SSE2 (JSIMD_FORCESSE2=1) and in plain C (JSIMD_FORCENONE=1). A test repeats that for some of
them. Nobody has looked at other formats, so they are refused.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from absl import flags
from PIL import Image

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import photographs, pictures
from reproducible_tflite.lib.values import arrays

_FORMATS = ("PNG", "JPEG")
# Enlarged more than this, a picture has no detail on which a range could be measured; a thumbnail
# in place of the picture is a usual mistake.
_LARGEST_SCALE = 4
_CROPS = "crops"
_RESIZES = {
    "stretched": pictures.stretched,
    "central": pictures.central,
    "fitted": lambda image, height, width: pictures.fitted(image, height, width)[0],
}

_IMAGES = flags.DEFINE_multi_string("image", None, "A PNG or JPEG file.")
_INPUT = flags.DEFINE_string("input", None, "The name of the model's input.")
_COUNT = flags.DEFINE_integer(
    "count", 0, "The number of pictures to write; 0 for each picture once.", lower_bound=0
)
_HEIGHT = flags.DEFINE_integer(
    "height", None, "Height of the model's input in pixels.", lower_bound=1
)
_WIDTH = flags.DEFINE_integer("width", None, "Width of the model's input in pixels.", lower_bound=1)
_RESIZE = flags.DEFINE_enum("resize", None, [*_RESIZES, _CROPS], "How a picture gets to this size.")
_OUTPUT = flags.DEFINE_string("output", None, "The .npz to write.")


def _read(paths: Sequence[str], height: int, width: int) -> Iterator[Image.Image]:
    for path in paths:
        image = pictures.read(path, _FORMATS)
        if image.width * _LARGEST_SCALE < width or image.height * _LARGEST_SCALE < height:
            raise cli.UserError(
                f"{path}: is {image.width} pixels wide and {image.height} high, less than a quarter"
                f" of the model's input, {width} and {height}; give a larger one or leave it out."
            )
        yield image


def samples(paths: Sequence[str], count: int, height: int, width: int, resize: str) -> np.ndarray:
    """Reads pictures and brings them to the size of a model's input.

    Args:
      paths: PNG or JPEG files, at least one. They are read upright and in RGB, see `pictures.read`.
      count: how many samples to make; 0 for each picture once.
      height: of a sample.
      width: of a sample.
      resize: "stretched", "central", "fitted" or "crops".

    Returns:
      uint8 [count, height, width, 3].

    Raises:
      cli.UserError: a file cannot be read or is too small, or there are fewer than `count`.
    """
    if resize == _CROPS:
        images = list(_read(paths, height, width))
        return photographs.crops(images, count or len(images), height, width)
    if count > len(paths):
        raise cli.UserError(
            f"--count={count}: is more than the {len(paths)} pictures; give more of them, a smaller"
            ' count, or resize = "crops", which makes several of one.'
        )
    chosen = _read(paths[: count or None], height, width)
    return np.stack([_RESIZES[resize](image, height, width) for image in chosen])


def main(argv: Sequence[str]) -> None:
    """Writes the dataset."""
    del argv
    size = (_HEIGHT.value, _WIDTH.value)
    pixels = samples(_IMAGES.value, _COUNT.value, *size, _RESIZE.value)
    arrays.write(_OUTPUT.value, {_INPUT.value: pixels})


if __name__ == "__main__":
    flags.mark_flags_as_required(["image", "input", "height", "width", "resize", "output"])
    cli.run(main)
