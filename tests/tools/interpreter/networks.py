"""Small models that TensorFlow Lite's interpreter can run."""

import numpy as np

from tests.tools.canonicalize import models
from tools.canonicalize.schema import tflite


def _quantized(maker: models.Maker, tensor: int, scale: float, zero_point: int) -> None:
    parameters = tflite.QuantizationParametersT()
    parameters.scale = np.array([scale], np.float32)
    parameters.zeroPoint = np.array([zero_point], np.int64)
    maker.graph.tensors[tensor].quantization = parameters


def doubled_sum(description: str = "made for a test", length: int = 4) -> bytes:
    """float32 [1, length]: (a + b) + (a + b). The inner sum is tensor 2."""
    maker = models.Maker()
    shape = [1, length]
    a, b, inner, result = (maker.tensor(name, shape) for name in ("a", "b", "inner", "result"))
    for inputs, output in (([a, b], inner), ([inner, inner], result)):
        add = maker.operator(tflite.BuiltinOperator.ADD, inputs, [output])
        add.builtinOptionsType = tflite.BuiltinOptions.AddOptions
        add.builtinOptions = tflite.AddOptionsT()
    maker.graph.inputs, maker.graph.outputs = (
        np.array([a, b], np.int32),
        np.array([result], np.int32),
    )
    maker.model.description = description
    return models.pack(maker.model)


def quantized_identity() -> bytes:
    """uint8 [1, 4] of scale 0.5 and zero point 10, dequantized."""
    maker = models.Maker()
    stored = maker.tensor("stored", [1, 4], kind=tflite.TensorType.UINT8)
    _quantized(maker, stored, 0.5, 10)
    result = maker.tensor("result", [1, 4])
    maker.operator(tflite.BuiltinOperator.DEQUANTIZE, [stored], [result])
    maker.graph.inputs, maker.graph.outputs = (
        np.array([stored], np.int32),
        np.array([result], np.int32),
    )
    return models.pack(maker.model)


def unknown_operator() -> bytes:
    """A custom operator that nobody has."""
    maker = models.Maker()
    a, result = maker.tensor("a", [1]), maker.tensor("result", [1])
    maker.operator(tflite.BuiltinOperator.CUSTOM, [a], [result], custom="NobodyHasThis")
    maker.graph.inputs, maker.graph.outputs = np.array([a], np.int32), np.array([result], np.int32)
    return models.pack(maker.model)


def empty() -> bytes:
    """No operator at all."""
    maker = models.Maker()
    a = maker.tensor("a", [1])
    maker.graph.inputs, maker.graph.outputs = np.array([a], np.int32), np.array([a], np.int32)
    return models.pack(maker.model)
