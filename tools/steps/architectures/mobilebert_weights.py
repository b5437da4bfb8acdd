"""Seeded values for MobileBERT's variables that keep activations stable through its 24 layers.

MobileBERT's norms are affine functions of each channel. Nothing measures and corrects activations,
so kernels and gammas alone decide their size. All values follow in closed form from one aim: every
channel has mean 0 and variance 1 over the tokens.

- A kernel of variance g / fan_in turns inputs of variance 1 into outputs of variance g.
- Where a branch of variance b joins a stream of variance 1, gamma is 1 / sqrt(1 + b).
- Channels have mean 1 in front of a rectifier, for the reason given at weights.RECTIFIED_BETA. The
  next layer's bias removes the mean of the rectified channels. Otherwise every layer would add the
  same vector to all tokens, and tokens would become alike.
"""

import math
import re
from collections.abc import Sequence

import numpy as np

from reproducible_tflite.lib.values import weights

# The variance that a layer, and within it a feed-forward network, adds to its shortcut. The cosine
# similarity of float and 8-bit logits is 0.977 for layers of 1/4 and 0.989 for layers of 1/8.
_LAYER = 0.125
_FEED_FORWARD = 0.25
# The variance that attention adds if all weight is on one token. Higher values make tokens more
# alike from layer to layer, since attention draws each towards the mean of all.
_ATTENTION = 0.5
# The standard deviation of attention's scores. From 2 on, about one token has all the weight.
_SCORES = 1.5
# The variances of positions and segments; that of tokens is 1.
_POSITIONS = 0.25
_SEGMENTS = 0.125

# The largest distance of biases, betas and gammas from their mean.
_SPREAD = 1 / 32
# The number of output channels of every layer in front of a rectifier.
_INTERMEDIATE_SIZE = 512

# For a rectified normal variable of mean 1 and variance 1, the density and distribution function of
# the standard normal at 1 give its mean, its variance, and the derivative of its mean.
_DENSITY, _DISTRIBUTION = 0.24197072, 0.84134475
_RECTIFIED_MEAN = _DENSITY + _DISTRIBUTION
_RECTIFIED_VARIANCE = _DENSITY + 2 * _DISTRIBUTION - _RECTIFIED_MEAN**2
_RECTIFIED_SLOPE = _DISTRIBUTION

_AFTER_RECTIFIER = re.compile(r"(.*/(?:ffn_)?layer_\d+)/output/dense/(?:kernel|bias)")
# Variances by the end of a name; the first match counts. Others are 1.
_KERNELS = (
    ("self/query/kernel", _SCORES),
    ("self/key/kernel", _SCORES),
    ("attention/output/dense/kernel", _ATTENTION),
    ("output/bottleneck/dense/kernel", _LAYER),
    ("output/dense/kernel", _FEED_FORWARD / _RECTIFIED_VARIANCE),
    ("position_embeddings", _POSITIONS),
    ("token_type_embeddings", _SEGMENTS),
)
_SUMS = (
    ("embeddings/FakeLayerNorm/gamma", 1 + _POSITIONS + _SEGMENTS),
    ("output/bottleneck/FakeLayerNorm/gamma", 1 + _LAYER),
    # Attention adds little; how much depends on the number of tokens.
    ("attention/output/FakeLayerNorm/gamma", 1.0),
    ("output/FakeLayerNorm/gamma", 1 + _FEED_FORWARD),
)


def seeded_value(seed: int, name: str, shape: Sequence[int]) -> np.ndarray | None:
    """Returns a variable's seeded value; None for a variable that MobileBERT does not have.

    Returns:
      float32 array of `shape`.
    """
    kind = name.rpartition("/")[2]
    uniform = weights.uniform(seed, name, shape)
    if kind.endswith("_embeddings"):
        value = _amplitude(name, 1) * uniform
    elif kind == "kernel":
        value = _amplitude(name, shape[0]) * uniform
    elif kind == "output_weights":
        value = _amplitude(name, shape[1]) * uniform
    elif kind == "gamma":
        # The mean of the squares of 1 + spread * uniform is 1 + spread**2 / 3.
        value = (1 + _SPREAD * uniform) / math.sqrt((1 + _SPREAD**2 / 3) * _by_end(_SUMS, name))
    elif kind in ("beta", "bias", "output_bias"):
        value = _offset(seed, name, shape) + _SPREAD * uniform
    else:
        return None
    return value.astype(np.float32)


def _by_end(table: Sequence[tuple[str, float]], name: str) -> float:
    return next((value for end, value in table if name.endswith(end)), 1.0)


def _amplitude(name: str, fan_in: int) -> float:
    """Returns the bound of a kernel's uniform values, whose variance is a third of its square."""
    return math.sqrt(3 * _by_end(_KERNELS, name) / fan_in)


def _offset(seed: int, name: str, shape: Sequence[int]) -> np.ndarray | float:
    """Returns the mean of a bias or beta."""
    if name.endswith("intermediate/dense/bias"):
        return 1.0
    match = _AFTER_RECTIFIER.fullmatch(name)
    if not match:
        return 0.0
    layer, kernel = match[1], f"{match[1]}/output/dense/kernel"
    biases = weights.uniform(seed, f"{layer}/intermediate/dense/bias", [_INTERMEDIATE_SIZE])
    means = _RECTIFIED_MEAN + _RECTIFIED_SLOPE * _SPREAD * biases
    # Multiples of 2**-12. Their products with uniform values, multiples of 2**-23, and the sums of
    # these fit in float64's 53 bits, so the order of summation does not matter.
    means = np.rint(np.ldexp(means, 12)) * 2.0**-12
    uniform = weights.uniform(seed, kernel, [_INTERMEDIATE_SIZE, *shape])
    return -_amplitude(kernel, _INTERMEDIATE_SIZE) * (means @ uniform)
