"""Photographs as a model's input, by integer arithmetic only."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from tools.cli import cli


def read(paths: Sequence[str], height: int, width: int) -> np.ndarray:
    """Reads photographs and resizes each to the model's input, as the genuine resizer stretches it.

    Args:
      paths: PNG or JPEG files.
      height: pixels.
      width: pixels.

    Returns:
      uint8 [photographs, height, width, 3], RGB. Pillow resizes with fixed-point coefficients,
      so no CPU rounds otherwise.

    Raises:
      UserError: no file is given, or one is missing or no image.
    """
    if not paths:
        raise cli.UserError("--photographs: at least one photograph is needed to calibrate on.")
    return np.stack([_read_one(path, height, width) for path in paths])


def _read_one(path: str, height: int, width: int) -> np.ndarray:
    try:
        with Image.open(path) as image:
            resized = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    except (OSError, SyntaxError) as error:
        raise cli.UserError(f"{path}: cannot be read as a photograph: {error}.") from error
    return np.asarray(resized)
