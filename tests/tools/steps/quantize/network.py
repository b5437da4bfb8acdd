"""Writes a small network in floating point, or samples for it: network --output=FILE."""

from collections.abc import Sequence

import numpy as np
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.lib.values import arrays
from tests.tools.lib.tflite_file import models

_OUTPUT = flags.DEFINE_string("output", None, "The .tflite or .npz to write.", required=True)

SHAPE = [1, 8, 8, 4]

_Op = tflite.BuiltinOperator
_Options = tflite.BuiltinOptions
_SAME = tflite.Padding.SAME


def _layer(maker: models.Maker, code: int, source: int, name: str, kernel: list[int]) -> int:
    """Adds an operator with weights and a bias, and returns its result."""
    numbers = np.random.default_rng(len(maker.graph.tensors))
    values = numbers.standard_normal(kernel) / np.sqrt(np.prod(kernel[1:]))
    weights = maker.tensor(f"{name}/weights", kernel, values.astype(np.float32))
    channels = kernel[-1] if code == _Op.DEPTHWISE_CONV_2D else kernel[0]
    bias = maker.tensor(f"{name}/bias", [channels], np.zeros(channels, np.float32))
    shape = [1, channels] if code == _Op.FULLY_CONNECTED else [1, 8, 8, channels]
    # As a converter names what it has joined.
    result = maker.tensor(f"{name};scores/joined", shape)
    operator = maker.operator(code, [source, weights, bias], [result])
    kind = {
        _Op.CONV_2D: "Conv2D",
        _Op.DEPTHWISE_CONV_2D: "DepthwiseConv2D",
        _Op.FULLY_CONNECTED: "FullyConnected",
    }[code]
    operator.builtinOptionsType = getattr(_Options, f"{kind}Options")
    options = operator.builtinOptions = getattr(tflite, f"{kind}OptionsT")()
    if code != _Op.FULLY_CONNECTED:
        options.padding, options.strideH, options.strideW = _SAME, 1, 1
        options.dilationHFactor = options.dilationWFactor = 1
    if code == _Op.DEPTHWISE_CONV_2D:
        options.depthMultiplier = 1
    return result


def network() -> bytes:
    """A convolution, a depthwise one and two fully connected layers."""
    maker = models.Maker()
    x = maker.tensor("x", SHAPE)
    first = _layer(maker, _Op.CONV_2D, x, "first", [8, 3, 3, 4])
    second = _layer(maker, _Op.DEPTHWISE_CONV_2D, first, "second", [1, 3, 3, 8])
    hidden = _layer(maker, _Op.FULLY_CONNECTED, second, "hidden", [64, 512])
    scores = _layer(maker, _Op.FULLY_CONNECTED, hidden, "scores", [10, 64])
    maker.graph.inputs, maker.graph.outputs = np.array([x], "i4"), np.array([scores], "i4")
    return models.pack(maker.model)


def main(argv: Sequence[str]) -> None:
    del argv
    path = _OUTPUT.value
    if path.endswith(".npz"):
        samples = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE[1:])).astype(np.float32)
        arrays.write(path, {"x": samples})
        return
    with cli.output_file(path) as stream:
        stream.write(network())


if __name__ == "__main__":
    cli.run(main)
