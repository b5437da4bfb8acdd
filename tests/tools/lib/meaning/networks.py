"""Small models, in which tests make single changes."""

import random

import numpy as np

from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import models

_Op = tflite.BuiltinOperator
_Options = tflite.BuiltinOptions


def quantization(
    scale: list[float], zero_point: list[int], axis: int = 0
) -> tflite.QuantizationParametersT:
    parameters = tflite.QuantizationParametersT()
    parameters.scale, parameters.zeroPoint = (
        np.array(scale, np.float32),
        np.array(zero_point, np.int64),
    )
    parameters.quantizedDimension = axis
    return parameters


def tensor(model: tflite.ModelT, name: str) -> tflite.TensorT:
    (named,) = [tensor for tensor in model.subgraphs[0].tensors if tensor.name == name]
    return named


def layers(rectified: bool = False) -> tflite.ModelT:
    """A quantized input and three convolutions, the weights of the last two equal in shape."""
    maker = models.Maker()
    numbers = np.random.default_rng(3)
    last = maker.tensor("x", [1, 3, 3, 2], kind=tflite.TensorType.INT8)
    maker.graph.tensors[last].quantization = quantization([0.5], [3])
    maker.graph.inputs = np.array([last], np.int32)
    for layer in range(3):
        kernel = numbers.standard_normal((2, 2, 2, 2)).astype(np.float32)
        weights = maker.tensor(f"kernel{layer}", [2, 2, 2, 2], kernel)
        result = maker.tensor(f"inner{layer}", [1, 3, 3, 2])
        operator = maker.operator(_Op.CONV_2D, [last, weights, -1], [result])
        operator.builtinOptionsType = _Options.Conv2DOptions
        operator.builtinOptions = tflite.Conv2DOptionsT()
        last = result
        if rectified and layer == 1:
            last = maker.tensor("rectified", [1, 3, 3, 2])
            maker.operator(_Op.RELU, [result], [last])
    maker.graph.outputs = np.array([last], np.int32)
    return maker.model


def heads(signed: bool = False) -> tflite.ModelT:
    """Three layers of other weights, each from an input of its own to an output of its own."""
    maker = models.Maker()
    inputs, outputs = [], []
    for layer in range(3):
        inputs.append(maker.tensor(f"x{layer}", [1, 4]))
        kernel = np.random.default_rng(layer).standard_normal((4, 4)).astype(np.float32)
        weights = maker.tensor(f"kernel{layer}", [4, 4], kernel)
        outputs.append(maker.tensor(f"y{layer}", [1, 4]))
        operator = maker.operator(_Op.FULLY_CONNECTED, [inputs[-1], weights, -1], outputs[-1:])
        operator.builtinOptionsType = _Options.FullyConnectedOptions
        operator.builtinOptions = tflite.FullyConnectedOptionsT()
    maker.graph.inputs, maker.graph.outputs = np.array(inputs, "i4"), np.array(outputs, "i4")
    if signed:
        names = [
            {f"{n}{index}": index for index in part} for n, part in (("x", inputs), ("y", outputs))
        ]
        maker.signature("serve", *names)
    return maker.model


def chain(length: int) -> tflite.ModelT:
    """A chain of `length` rectifiers."""
    maker = models.Maker()
    tensors = [maker.tensor(f"t{index}", [4]) for index in range(length + 1)]
    for source, target in zip(tensors, tensors[1:], strict=False):
        maker.operator(_Op.RELU, [source], [target])
    maker.graph.inputs = np.array(tensors[:1], np.int32)
    maker.graph.outputs = np.array(tensors[-1:], np.int32)
    return maker.model


def counting(swapped: bool, before: int = 0) -> tflite.ModelT:
    """Two operators without operands in common that have effects, in one of two orders.

    Args:
      swapped: whether they are in the other order.
      before: the number of other operators with effects, which come first.
    """
    maker = models.Maker()
    x = maker.tensor("x", [4])
    results = []
    for name in (*(f"Earlier{number}" for number in range(before)), "Log", "Count"):
        results.append(maker.tensor(name, [4]))
        maker.operator(_Op.CUSTOM, [x], results[-1:], name)
    if swapped:
        maker.graph.operators[before:] = reversed(maker.graph.operators[before:])
    maker.graph.inputs = np.array([x], np.int32)
    maker.graph.outputs = np.array(results, np.int32)
    return maker.model


def branching(swapped: bool) -> tflite.ModelT:
    """An IF that runs one of two subgraphs, which stand in one of two orders."""
    maker = models.Maker()
    condition = maker.tensor("condition", [1], kind=tflite.TensorType.BOOL)
    x, y = maker.tensor("x", [4]), maker.tensor("y", [4])
    branch = maker.operator(_Op.IF, [condition, x], [y])
    branch.builtinOptionsType, branch.builtinOptions = _Options.IfOptions, tflite.IfOptionsT()
    numbers = (2, 1) if swapped else (1, 2)
    branch.builtinOptions.thenSubgraphIndex, branch.builtinOptions.elseSubgraphIndex = numbers
    maker.graph.inputs, maker.graph.outputs = np.array([condition, x], "i4"), np.array([y], "i4")
    bodies = []
    for code, kind, options in (
        (_Op.ADD, _Options.AddOptions, tflite.AddOptionsT()),
        (_Op.MUL, _Options.MulOptions, tflite.MulOptionsT()),
    ):
        body = models.Maker()
        a, b = body.tensor("a", [4]), body.tensor("b", [4])
        operator = body.operator(code, [a, a], [b])
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        body.graph.inputs, body.graph.outputs = np.array([a], "i4"), np.array([b], "i4")
        # All subgraphs share the model's operator codes and its empty buffer.
        maker.model.operatorCodes += body.model.operatorCodes
        operator.opcodeIndex = len(maker.model.operatorCodes) - 1
        for inner in body.graph.tensors:
            inner.buffer = 0
        bodies.append(body.graph)
    maker.model.subgraphs += bodies[::-1] if swapped else bodies
    return maker.model


def with_large_weights(size: int) -> bytes:
    """Returns a file whose weights are the `size` bytes that have to follow it."""
    maker = models.Maker()
    x, y = (maker.tensor(name, [1], kind=tflite.TensorType.INT8) for name in "xy")
    weights = maker.tensor("weights", [size], kind=tflite.TensorType.INT8)
    maker.operator(_Op.ADD, [x, weights], [y])
    maker.graph.inputs, maker.graph.outputs = np.array([x], "i4"), np.array([y], "i4")
    buffer = maker.model.buffers[maker.graph.tensors[weights].buffer]
    buffer.offset, buffer.size = 2, size
    # The offset's size does not depend on its value.
    buffer.offset = len(models.pack(maker.model))
    return models.pack(maker.model)


def twins() -> tflite.ModelT:
    """Two equal sums that nothing needs, and one that is the output."""
    maker = models.Maker()
    x = maker.tensor("x", [4])
    results = []
    for index in range(3):
        constant = maker.tensor(f"constant{index}", [4], np.ones(4, np.float32))
        results.append(maker.tensor(f"sum{index}", [4]))
        operator = maker.operator(_Op.ADD, [x, constant], results[-1:])
        operator.builtinOptionsType, operator.builtinOptions = (
            _Options.AddOptions,
            tflite.AddOptionsT(),
        )
    maker.graph.inputs, maker.graph.outputs = np.array([x], "i4"), np.array(results[-1:], "i4")
    return maker.model


def random_network(seed: int, unneeded: bool = False) -> tflite.ModelT:
    """Layers with weights, sums and rectifiers between random earlier results, some of them equal.

    A layer's weights are called NAME_weights if its result is NAME.

    Args:
      seed: of the random choices.
      unneeded: whether only one result is an output, and most layers read the same few values.
    """
    rng = random.Random(seed)
    numbers = np.random.default_rng(seed)
    maker = models.Maker()
    values = [maker.tensor(f"in{index}", [1, 4]) for index in range(rng.randint(1, 3))]
    inputs = list(values)
    kernels = [numbers.standard_normal((4, 4)).astype(np.float32) for _ in range(4)]
    for index in range(rng.randint(3, 14)):
        name = f"result{index}"
        # The first always has weights, so that there is one to change.
        codes = [_Op.FULLY_CONNECTED, _Op.ADD, _Op.RELU] if index else [_Op.FULLY_CONNECTED]
        code = rng.choice(codes)
        known = values[:3] if unneeded else values
        sources = [rng.choice(known)]
        result = maker.tensor(name, [1, 4])
        if code == _Op.FULLY_CONNECTED:
            weights = maker.tensor(f"{name}_weights", [4, 4], rng.choice(kernels))
            operator = maker.operator(code, [*sources, weights, -1], [result])
            operator.builtinOptionsType = _Options.FullyConnectedOptions
            operator.builtinOptions = tflite.FullyConnectedOptionsT()
        elif code == _Op.ADD:
            operator = maker.operator(code, [*sources, rng.choice(known)], [result])
            operator.builtinOptionsType = _Options.AddOptions
            operator.builtinOptions = tflite.AddOptionsT()
        else:
            maker.operator(code, sources, [result])
        values.append(result)
    read = {int(i) for operator in maker.graph.operators for i in operator.inputs}
    outputs = values[-1:] if unneeded else [value for value in values if value not in read]
    maker.graph.inputs, maker.graph.outputs = np.array(inputs, "i4"), np.array(outputs, "i4")
    maker.metadata("seed", str(seed).encode())
    return maker.model
