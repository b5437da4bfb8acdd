"""Layers of TensorFlow 1 inference graphs whose nodes have the names that `tf.layers` gave them.

Variables are plain (VariableV2), as seeding and freezing need them, whatever TensorFlow's switches
say. Their values come from a checkpoint, so they start as zeros.
"""

from collections.abc import Sequence

import tensorflow.compat.v1 as tf


def convolution(
    inputs: tf.Tensor,
    filters: int,
    size: int,
    stride: int = 1,
    padding: str = "SAME",
    name: str | None = None,
    use_bias: bool = False,
) -> tf.Tensor:
    """Adds SCOPE/Conv2D, and SCOPE/BiasAdd when `use_bias`.

    Args:
      inputs: [batch, height, width, channels].
      filters: how many channels come out.
      size: height and width of the kernel.
      stride: in both directions.
      padding: "SAME" or "VALID".
      name: the scope; without one the first free of conv2d, conv2d_1, conv2d_2, ...
      use_bias: whether a bias is added.
    """
    with tf.variable_scope(name, "conv2d"):
        kernel = _variable("kernel", [size, size, inputs.shape[3], filters])
        outputs = tf.nn.conv2d(inputs, kernel, [stride] * 2, padding, name="Conv2D")
        return _with_bias(outputs) if use_bias else outputs


def batch_norm(inputs: tf.Tensor, epsilon: float, name: str | None = None) -> tf.Tensor:
    """Adds SCOPE/FusedBatchNorm, which normalises with stored statistics.

    Args:
      inputs: [batch, height, width, channels].
      epsilon: what is added to the variance.
      name: the scope; without one the first free of batch_normalization, batch_normalization_1, ...
    """
    with tf.variable_scope(name, "batch_normalization"):
        channels = [inputs.shape[3]]
        gamma, beta = _variable("gamma", channels), _variable("beta", channels)
        mean, variance = _variable("moving_mean", channels), _variable("moving_variance", channels)
        # TensorFlow 1.15 and later call the op FusedBatchNormV3; graphs published before do not.
        return tf.nn.fused_batch_norm(
            inputs, gamma, beta, mean, variance, epsilon, is_training=False, name="FusedBatchNorm"
        )[0]


def dense(inputs: tf.Tensor, units: int, name: str) -> tf.Tensor:
    """Adds NAME/MatMul and NAME/BiasAdd.

    Args:
      inputs: [batch, features].
      units: how many features come out.
      name: the scope.
    """
    with tf.variable_scope(name):
        kernel = _variable("kernel", [inputs.shape[1], units])
        return _with_bias(tf.matmul(inputs, kernel, name="MatMul"))


def _with_bias(outputs: tf.Tensor) -> tf.Tensor:
    return tf.nn.bias_add(outputs, _variable("bias", [outputs.shape[-1]]), name="BiasAdd")


def _variable(name: str, shape: Sequence[int]) -> tf.Variable:
    return tf.get_variable(
        name, shape, tf.float32, tf.zeros_initializer(), use_resource=False, trainable=False
    )
