"""What a model is run on when only its speed counts: the same for the same model, everywhere.

A detector's post-processing takes as long as there are boxes, so a picture's input gets a
photograph. What nobody can guess gets noise.
"""

import math

import numpy as np

from tools.lib.cli import cli
from tools.lib.interpreter.interpreter import Port
from tools.lib.preprocessing import normalization, photographs, tokens
from tools.lib.tflite_file import model as inspected
from tools.lib.values import weights

PHOTOGRAPH, TOKENS, NOISE, ONES = "photograph", "tokens", "noise", "ones"

_SEED = 0
# Words that every vocabulary of BERT's has.
_VOCABULARY = 28000
_CHANNELS = 3
# As the interpreter has them; in a file, truth values are bytes.
_DTYPES = inspected.DTYPES | {"BOOL": np.dtype(np.bool_)}
_MAXIMUM_BYTES = 1 << 30
# What a float picture's pixels are when the model does not say.
_DEFAULT_NORMALIZATION = "minus_one_to_one"


def port(tensor: inspected.Tensor, source: str) -> Port:
    """Returns an input as the interpreter shows it, before there is an interpreter.

    Args:
      tensor: the input.
      source: the model's name, for messages.

    Raises:
      cli.UserError: it is of a type, such as text, that is not made here.
    """
    if tensor.dtype not in _DTYPES:
        raise cli.UserError(
            f"{source}: the input {tensor.name} is of type {tensor.dtype}; models with such inputs"
            " cannot be measured here."
        )
    scale, zero_point = tensor.scaling
    return Port(
        index=tensor.index,
        name=tensor.name,
        shape=tensor.shape,
        dtype=_DTYPES[tensor.dtype],
        scale=scale,
        zero_point=zero_point,
    )


def kind(entry: Port, preprocessing: str) -> str:
    """Returns what an input gets: PHOTOGRAPH, TOKENS, NOISE or ONES.

    Args:
      entry: the input.
      preprocessing: what the model says of it, a name of tools/lib/preprocessing/normalization.py;
        "" if it says nothing.
    """
    if len(entry.shape) == 4 and entry.shape[3] == _CHANNELS and min(entry.shape) > 0:
        return PHOTOGRAPH
    if preprocessing == normalization.TOKENS and len(entry.shape) == 2:
        if entry.name in ("input_ids", "input_mask", "segment_ids") and _fits_tokens(entry):
            return TOKENS
    if entry.dtype.kind == "f" or entry.scale:
        return NOISE
    # A small number that is a place in most tables.
    return ONES


def _fits_tokens(entry: Port) -> bool:
    return entry.dtype == np.int32 and entry.shape[0] == 1 and entry.shape[1] >= tokens.LEAST_LENGTH


def values(entry: Port, preprocessing: str, photograph: str, source: str) -> np.ndarray:
    """Returns an array for an input, in its type and shape.

    Args:
      entry: the input.
      preprocessing: as `kind` takes it.
      photograph: a PNG or JPEG file.
      source: the model's name, for messages.

    Raises:
      cli.UserError: the photograph cannot be read, or no such array can be.
    """
    size = math.prod(entry.shape) * entry.dtype.itemsize
    if min(entry.shape, default=0) < 0 or size > _MAXIMUM_BYTES:
        raise cli.UserError(
            f"{source}: the input {entry.name} is of shape {list(entry.shape)}, which nothing can"
            " be given for; the file is damaged or is not meant to be run, give another one."
        )
    chosen = kind(entry, preprocessing)
    if chosen == PHOTOGRAPH:
        count, height, width, _ = entry.shape
        pixels = np.repeat(photographs.read([photograph], height, width), count, axis=0)
        if entry.dtype == np.uint8 or entry.dtype.kind not in "fiu":
            return pixels.astype(entry.dtype)
        if entry.dtype == np.int8 and not entry.scale:
            return (pixels.astype(np.int16) - 128).astype(np.int8)
        named = preprocessing if preprocessing in normalization.NORMALIZATIONS else ""
        return entry.stored(normalization.normalize(pixels, named or _DEFAULT_NORMALIZATION))
    if chosen == TOKENS:
        return next(tokens.samples(1, entry.shape[1], _VOCABULARY, _SEED))[entry.name]
    if chosen == NOISE:
        return entry.stored(weights.uniform(_SEED, entry.name, entry.shape))
    return np.ones(entry.shape, entry.dtype)
