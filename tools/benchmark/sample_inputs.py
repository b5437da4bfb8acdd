"""Inputs for measuring speed: the same for the same model on every machine.

A detector's post-processing takes longer the more boxes it finds, so picture inputs get a
photograph. Inputs of unknown meaning get noise.
"""

import math

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter.ports import Port
from reproducible_tflite.lib.preprocessing import normalization, photographs, tokens
from reproducible_tflite.lib.values import weights

PHOTOGRAPH, TOKENS, NOISE, ONES = "photograph", "tokens", "noise", "ones"

_SEED = 0
# Every BERT vocabulary has at least this many words.
_VOCABULARY = 28000
_CHANNELS = 3
_MAXIMUM_BYTES = 1 << 30
# For float pictures if the model does not say.
_DEFAULT_NORMALIZATION = "minus_one_to_one"


def kind(entry: Port, preprocessing: str) -> str:
    """Returns what an input gets: PHOTOGRAPH, TOKENS, NOISE or ONES.

    Args:
      entry: the input.
      preprocessing: the model's preprocessing, a name of tools/lib/preprocessing/normalization.py;
        "" if it is not known.
    """
    if len(entry.shape) == 4 and entry.shape[3] == _CHANNELS and min(entry.shape) > 0:
        return PHOTOGRAPH
    if preprocessing == normalization.TOKENS and entry.dtype == np.int32 and len(entry.shape) == 2:
        named = entry.name in ("input_ids", "input_mask", "segment_ids")
        if named and entry.shape[0] == 1 and entry.shape[1] >= tokens.LEAST_LENGTH:
            return TOKENS
    if entry.dtype.kind == "f" or entry.scale:
        return NOISE
    # One is a valid index into most tables.
    return ONES


def values(entry: Port, preprocessing: str, photograph: str, source: str) -> np.ndarray:
    """Returns an array for an input, in its type and shape.

    Args:
      entry: the input.
      preprocessing: as for `kind`.
      photograph: a PNG or JPEG file.
      source: the model's name, for messages.

    Raises:
      cli.UserError: the photograph cannot be read, or the input's shape is not possible.
    """
    size = math.prod(entry.shape) * entry.dtype.itemsize
    if min(entry.shape, default=0) < 0 or size > _MAXIMUM_BYTES:
        raise cli.UserError(
            f"{source}: the input {entry.name} is of shape {list(entry.shape)}, which is not"
            " possible; the file is damaged or not meant to be run, give another one."
        )
    chosen = kind(entry, preprocessing)
    if chosen == PHOTOGRAPH:
        count, height, width, _ = entry.shape
        pixels = np.repeat(photographs.read([photograph], height, width), count, axis=0)
        if entry.dtype.kind not in "fiu":
            return pixels.astype(entry.dtype)
        named = preprocessing if preprocessing in normalization.NORMALIZATIONS else ""
        return entry.picture(pixels, named or _DEFAULT_NORMALIZATION)
    if chosen == TOKENS:
        return next(tokens.samples(1, entry.shape[1], _VOCABULARY, _SEED))[entry.name]
    if chosen == NOISE:
        return entry.stored(weights.uniform(_SEED, entry.name, entry.shape))
    return np.ones(entry.shape, entry.dtype)
