"""A network with batch norms: as a frozen graph, and as the .tflite that comes of it."""

import dataclasses

import numpy as np
import tensorflow as tf

from reproducible_tflite.lib.rounding import folds
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import models

CHANNELS = 16
EPSILON = 1e-3
_Op = tflite.BuiltinOperator
_Options = tflite.BuiltinOptions


@dataclasses.dataclass(frozen=True, eq=False)
class _Layer:
    kernel: np.ndarray
    bias: np.ndarray | None
    parameters: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _layers(seed: int) -> list[_Layer]:
    """Returns a convolution, a depthwise one without a bias, and a dense layer."""
    random = np.random.default_rng(seed)
    found = []
    for shape, has_bias in (
        ([3, 3, 2, CHANNELS], True),
        ([3, 3, CHANNELS, 1], False),
        ([CHANNELS, CHANNELS], True),
    ):
        kernel = random.normal(size=shape).astype(np.float32)
        bias, *parameters = random.uniform(0.5, 2, [5, CHANNELS]).astype(np.float32)
        found.append(_Layer(kernel, bias if has_bias else None, tuple(parameters)))
    return found


def graph(seed: int = 1) -> bytes:
    """Returns a serialized GraphDef. The last batch norm is several ops, as Keras has it."""

    def fused(x: tf.Tensor, layer: _Layer, name: str) -> tf.Tensor:
        gamma, beta, mean, variance = layer.parameters
        return tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=tf.identity(gamma),
            offset=beta,
            mean=mean,
            variance=variance,
            epsilon=EPSILON,
            is_training=False,
            name=name,
        ).y

    convolution, depthwise, dense = _layers(seed)
    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, [1, 1, 1, 2], name="x")
        x = tf.nn.bias_add(tf.nn.conv2d(x, convolution.kernel, 1, "SAME"), convolution.bias)
        x = tf.nn.relu(fused(x, convolution, "first"))
        x = tf.nn.depthwise_conv2d(x, depthwise.kernel, [1, 1, 1, 1], "SAME")
        x = tf.reshape(fused(x, depthwise, "second"), [1, CHANNELS])
        x = tf.nn.bias_add(tf.matmul(x, tf.constant(dense.kernel)), dense.bias)
        gamma, beta, mean, variance = dense.parameters
        factor = tf.math.rsqrt(tf.constant(variance) + EPSILON) * gamma
        tf.add(x * factor, beta - mean * factor, name="y")
    return made.as_graph_def().SerializeToString()


def model(
    name: str, seed: int = 1, lose_biases: bool = False, factor_of_factors: float = 1
) -> tflite.ModelT:
    """Returns the graph as a converter folds it.

    Args:
      name: of `folds.FOLDS`.
      seed: as for `graph`.
      lose_biases: whether the layers' own biases are left out.
      factor_of_factors: what all factors are multiplied by.
    """
    maker = models.Maker()
    last = maker.tensor("x", [1, 1, 1, 2])
    maker.graph.inputs = np.array([last], np.int32)
    for layer, code, kind, options in zip(
        _layers(seed),
        (_Op.CONV_2D, _Op.DEPTHWISE_CONV_2D, _Op.FULLY_CONNECTED),
        (
            _Options.Conv2DOptions,
            _Options.DepthwiseConv2DOptions,
            _Options.FullyConnectedOptions,
        ),
        (tflite.Conv2DOptionsT, tflite.DepthwiseConv2DOptionsT, tflite.FullyConnectedOptionsT),
        strict=True,
    ):
        factor, addend = folds.named(name).constants(*layer.parameters, EPSILON)
        factor *= np.float32(factor_of_factors)
        if layer.bias is not None and not lose_biases:
            addend = layer.bias * factor + addend
        if code == _Op.DEPTHWISE_CONV_2D:
            kernel = layer.kernel.reshape(1, 3, 3, CHANNELS) * factor
        else:
            kernel = np.moveaxis(layer.kernel * factor, -1, 0)
        shape = [1, CHANNELS] if code == _Op.FULLY_CONNECTED else [1, 1, 1, CHANNELS]
        result = maker.tensor(f"result{code}", shape)
        inputs = [
            last,
            maker.tensor(f"kernel{code}", list(kernel.shape), np.ascontiguousarray(kernel)),
            maker.tensor(f"bias{code}", [CHANNELS], addend),
        ]
        operator = maker.operator(code, inputs, [result])
        operator.builtinOptionsType, operator.builtinOptions = kind, options()
        last = result
    maker.graph.outputs = np.array([last], np.int32)
    return maker.model


def file(name: str, **changes: object) -> bytes:
    """Returns `model` as a file."""
    return models.pack(model(name, **changes))
