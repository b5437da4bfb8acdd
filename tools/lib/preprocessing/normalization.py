"""How a model wants its pixels: one table for calibration, tests and evaluation.

A model's graph names its preprocessing once (`FrozenGraphInfo.preprocessing`); whoever feeds the
model, or its .tflite, looks here for what that means.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Normalization:
    """What is done to RGB values from 0 to 255: (pixel - mean) / deviation, channel by channel."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

# The names are those of PREPROCESSINGS in tools/tflite/private/preprocessing.bzl.
NORMALIZATIONS = {
    # To [-1, 1], as the Object Detection API's MobileNets and slim's inception preprocessing do.
    "minus_one_to_one": Normalization((127.5,) * 3, (127.5,) * 3),
    # To [0, 1].
    "zero_to_one": Normalization((0.0,) * 3, (255.0,) * 3),
    # As they are, from 0 to 255.
    "identity": Normalization((0.0,) * 3, (1.0,) * 3),
    # Less the mean of ImageNet's pixels, as slim's vgg_preprocessing and the official ResNet do.
    "imagenet_mean": Normalization((123.68, 116.78, 103.94), (1.0,) * 3),
    # To [0, 1], then less ImageNet's mean by its deviation, as torchvision's models and MLPerf's
    # SSD-ResNet34 do.
    "imagenet_mean_std": Normalization(
        tuple(255 * mean for mean in _IMAGENET_MEAN),
        tuple(255 * deviation for deviation in _IMAGENET_DEVIATION),
    ),
}
# The inputs are no pictures: they are given to the model as they are.
TOKENS = "tokens"
NAMES = (*NORMALIZATIONS, TOKENS)


def normalize(pixels: np.ndarray, name: str) -> np.ndarray:
    """Turns pixels into a model's input, in float64.

    Args:
      pixels: [..., 3], RGB, 0 to 255.
      name: one of `NORMALIZATIONS`.

    Returns:
      float64 array of the same shape.
    """
    chosen = NORMALIZATIONS[name]
    return (pixels.astype(np.float64) - chosen.mean) / chosen.deviation
