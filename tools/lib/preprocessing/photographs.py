"""Photographs as a model's input, with the same bytes on every machine."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import pictures
from reproducible_tflite.lib.values import weights

# A crop shows at least this part of a photograph's shorter side.
_LEAST_CROP = 0.4


def read(paths: Sequence[str], height: int, width: int) -> np.ndarray:
    """Reads photographs and stretches each to the model's input size, as the genuine resizer does.

    Returns:
      uint8 [photographs, height, width, 3], RGB. Pillow resizes with fixed-point coefficients, so
      every CPU rounds alike.

    Raises:
      UserError: no file is given, or one cannot be read.
    """
    if not paths:
        raise cli.UserError("--photographs: at least one photograph is needed.")
    return np.stack([pictures.stretched(pictures.read(path), height, width) for path in paths])


def crops(images: Sequence[Image.Image], count: int, height: int, width: int) -> np.ndarray:
    """Makes many pictures from a few photographs: first all uncropped, then crops.

    The photographs take turns; pictures with odd numbers among the crops are mirrored. The size and
    place of a crop depend on its number only.

    Args:
      images: the photographs, at least one, in mode "RGB".
      count: the number of pictures.
      height: of a picture.
      width: of a picture.

    Returns:
      uint8 [count, height, width, 3], RGB.
    """
    return np.stack(
        [_picture(images[i % len(images)], i, i < len(images), height, width) for i in range(count)]
    )


def _picture(
    image: Image.Image, number: int, uncropped: bool, height: int, width: int
) -> np.ndarray:
    if uncropped:
        return pictures.stretched(image, height, width)
    scale, left, top = (weights.uniform(number, "crop", [3]) + 1) / 2
    side = _LEAST_CROP + (1 - _LEAST_CROP) * scale
    # The crop has the input's aspect ratio, so nothing in it is distorted.
    unit = min(image.width / width, image.height / height)
    size = (max(1, int(side * unit * width)), max(1, int(side * unit * height)))
    x, y = int(left * (image.width - size[0])), int(top * (image.height - size[1]))
    crop = image.crop((x, y, x + size[0], y + size[1]))
    if number % 2:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return pictures.stretched(crop, height, width)
