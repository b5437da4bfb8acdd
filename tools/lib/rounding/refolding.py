"""Folds the batch norms of a converted file again, as another CPU and TensorFlow do."""

from collections.abc import Sequence

import numpy as np

from reproducible_tflite.lib.rounding import explanation
from reproducible_tflite.lib.rounding.layers import Layer
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.mapped import Content


def refolded(content: Content, source: str, layers: Sequence[Layer], name: str) -> bytes:
    """Returns a file with the weights and biases that a way to fold gives, and all else as it was.

    All numbers are computed from the layers, none from the file.

    Args:
      content: the converted file, in float32.
      source: its name, for messages.
      layers: those of its source.
      name: a name of `folds.FOLDS`.

    Raises:
      cli.UserError: it is not a sound .tflite.
    """
    copy = bytearray(content)
    # The model's arrays are views of the copy, so what is written to them is written there.
    for layer, constants, _ in explanation.pairs(reader.read(copy, source), layers):
        weights, bias, _ = explanation.folded(name, layer)
        of_weights, of_bias = constants.tensors
        values = of_weights.values()
        if layer.kind == "DEPTHWISE_CONV_2D":
            values[...] = np.moveaxis(weights.reshape(-1, *values.shape[:-1]), 0, -1)
        else:
            values[...] = weights.reshape(values.shape)
        if of_bias is not None:
            of_bias.values()[...] = bias.reshape(of_bias.shape)
    return bytes(copy)
