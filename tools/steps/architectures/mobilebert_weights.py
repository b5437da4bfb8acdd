"""Seeded values for MobileBERT's variables that keep activations sane through its 24 layers.

What MobileBERT calls a norm is an affine function of each channel: nothing measures the activations
and corrects them, so their size is what kernels and gammas make of it. All values follow in closed
form from one aim, that every channel has mean 0 and variance 1 over the tokens:

- A kernel of variance g / fan_in makes outputs of variance g from inputs of variance 1.
- Where a branch of variance b joins a stream of variance 1, gamma is 1 / sqrt(1 + b).
- Channels stay near 1 in front of a rectifier, for the reason given at weights.RECTIFIED_BETA. The
  mean that rectified channels then have is taken out again by the next layer's bias. Otherwise
  every layer would add one and the same vector to all tokens, and tokens would grow alike.
"""

import math
import re
from collections.abc import Sequence

import numpy as np

from tools.lib.values import weights

# The variance that a layer, and within it a feed-forward network, adds to what goes around it.
# Float against 8-bit logits have a cosine similarity of 0.977 with layers of 1/4, 0.989 of 1/8.
_LAYER = 0.125
_FEED_FORWARD = 0.25
# That of attention, were all weight on one token. Higher gains make tokens alike from layer to
# layer, as attention draws each of them towards the mean of all.
_ATTENTION = 0.5
# The deviation of attention's scores. From 2 on, little more than one token has all the weight.
_SCORES = 1.5
# The variance that positions and segments add to that of a token, which is 1.
_POSITIONS = 0.25
_SEGMENTS = 0.125

# Biases, betas and gammas stay within this of their centre.
_SPREAD = 1 / 32
# The output channels of every layer in front of a rectifier.
_INTERMEDIATE_SIZE = 512

# Of a normal variable of mean 1 and variance 1, rectified: density and distribution function of the
# standard normal at 1 give its mean, its variance, and how its mean follows that of the variable.
_DENSITY, _DISTRIBUTION = 0.24197072, 0.84134475
_RECTIFIED_MEAN = _DENSITY + _DISTRIBUTION
_RECTIFIED_VARIANCE = _DENSITY + 2 * _DISTRIBUTION - _RECTIFIED_MEAN**2
_RECTIFIED_SLOPE = _DISTRIBUTION

_AFTER_RECTIFIER = re.compile(r"(.*/(?:ffn_)?layer_\d+)/output/dense/(?:kernel|bias)")
# Variances by the end of a name, the first that fits; 1 for other names.
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
    # What attention adds depends on the number of tokens, and is little.
    ("attention/output/FakeLayerNorm/gamma", 1.0),
    ("output/FakeLayerNorm/gamma", 1 + _FEED_FORWARD),
)


def seeded_value(seed: int, name: str, shape: Sequence[int]) -> np.ndarray | None:
    """Returns a variable's seeded value, None for a variable that MobileBERT has not.

    Args:
      seed: the model's seed.
      name: the variable's name in Google's checkpoints.
      shape: the variable's shape.

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
    """Returns how far a kernel's values go from 0; uniform values have a third of 1 as variance."""
    return math.sqrt(3 * _by_end(_KERNELS, name) / fan_in)


def _offset(seed: int, name: str, shape: Sequence[int]) -> np.ndarray | float:
    """Returns what a bias or a beta stays near."""
    if name.endswith("intermediate/dense/bias"):
        return 1.0
    match = _AFTER_RECTIFIER.fullmatch(name)
    if not match:
        return 0.0
    layer, kernel = match[1], f"{match[1]}/output/dense/kernel"
    before = weights.uniform(seed, f"{layer}/intermediate/dense/bias", [_INTERMEDIATE_SIZE])
    means = _RECTIFIED_MEAN + _RECTIFIED_SLOPE * _SPREAD * before
    # In steps of 2**-12. Multiplied by uniform values, in steps of 2**-23, and summed, they stay
    # within float64's 53 bits, so every order of summation gives the same.
    means = np.rint(np.ldexp(means, 12)) * 2.0**-12
    uniform = weights.uniform(seed, kernel, [_INTERMEDIATE_SIZE, *shape])
    return -_amplitude(kernel, _INTERMEDIATE_SIZE) * (means @ uniform)
