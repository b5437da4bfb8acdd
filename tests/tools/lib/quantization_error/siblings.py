"""A small float model and its quantized sibling, both of which the interpreter can run."""

import numpy as np

from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.meaning.networks import quantization
from tests.tools.lib.tflite_file import models

SHAPE = [1, 4, 4, 3]


def _add(maker: models.Maker, left: int, right: int, result: int) -> None:
    operator = maker.operator(tflite.BuiltinOperator.ADD, [left, right], [result])
    operator.builtinOptionsType = tflite.BuiltinOptions.AddOptions
    operator.builtinOptions = tflite.AddOptionsT()


def floats(shape: list[int] = SHAPE) -> bytes:
    """x + 0.5 = "first"; first + 0.25 = "second", which TensorFlow Lite computes in place."""
    maker = models.Maker()
    x, first, second = (maker.tensor(name, shape) for name in ("x", "first", "second"))
    half = maker.tensor("half", [1], np.array([0.5], np.float32))
    quarter = maker.tensor("quarter", [1], np.array([0.25], np.float32))
    _add(maker, x, half, first)
    _add(maker, first, quarter, second)
    maker.graph.inputs, maker.graph.outputs = np.array([x]), np.array([second])
    return models.pack(maker.model)


def integers(names: tuple[str, str] = ("first", "second;first"), shape: list[int] = SHAPE) -> bytes:
    """The same in uint8 with other names; "first" is clipped at 1.0."""
    maker = models.Maker()
    scales = {"x": (1 / 127.5, 128), names[0]: (2 / 255, 128), names[1]: (4 / 255, 128)}
    x, first, second = (maker.tensor(name, shape, kind=tflite.TensorType.UINT8) for name in scales)
    for index, (scale, zero_point) in zip((x, first, second), scales.values(), strict=True):
        maker.graph.tensors[index].quantization = quantization([scale], [zero_point])
    constants = []
    for name, value in (("half", 0.5), ("quarter", 0.25)):
        stored = np.array([255], np.uint8)
        constants.append(maker.tensor(name, [1], stored, tflite.TensorType.UINT8))
        maker.graph.tensors[constants[-1]].quantization = quantization([value / 255], [0])
    result = maker.tensor("result", shape)
    _add(maker, x, constants[0], first)
    _add(maker, first, constants[1], second)
    maker.operator(tflite.BuiltinOperator.DEQUANTIZE, [second], [result])
    maker.graph.inputs, maker.graph.outputs = np.array([x]), np.array([result])
    return models.pack(maker.model)


def dense(quantized: bool, outputs: int = 4, inputs: int = 10) -> bytes:
    """x [1, inputs] times weights, plus y [1, outputs]: in floating point but for the weights."""
    maker = models.Maker()
    x, y = maker.tensor("x", [1, inputs]), maker.tensor("y", [1, outputs])
    kernel = [outputs, inputs]
    values = np.linspace(-1, 1, outputs * inputs, dtype=np.float32).reshape(kernel)
    if quantized:
        stored = np.rint(values * 127).astype(np.int8)
        weights = maker.tensor("weights", kernel, stored, tflite.TensorType.INT8)
        maker.graph.tensors[weights].quantization = quantization([1 / 127], [0])
    else:
        weights = maker.tensor("weights", kernel, values)
    hidden, result = (maker.tensor(name, [1, outputs]) for name in ("hidden", "result"))
    layer = maker.operator(tflite.BuiltinOperator.FULLY_CONNECTED, [x, weights, -1], [hidden])
    layer.builtinOptionsType = tflite.BuiltinOptions.FullyConnectedOptions
    layer.builtinOptions = tflite.FullyConnectedOptionsT()
    _add(maker, hidden, y, result)
    maker.graph.inputs = np.array([x, y], np.int32)
    maker.graph.outputs = np.array([result], np.int32)
    return models.pack(maker.model)
