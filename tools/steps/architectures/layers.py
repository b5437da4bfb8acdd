"""Layers of TensorFlow 1 inference graphs, with the node names of `tf.layers`.

Variables are always plain ones (VariableV2), as seeding and freezing require. Their values come
from a checkpoint, so they start as zeros.
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
    """Adds SCOPE/Conv2D, and SCOPE/BiasAdd if `use_bias`.

    Args:
      inputs: [batch, height, width, channels].
      filters: the number of output channels.
      size: height and width of the kernel.
      stride: in both directions.
      padding: "SAME" or "VALID".
      name: the scope; None for the first free of conv2d, conv2d_1, conv2d_2, ...
      use_bias: whether to add a bias.

    Returns:
      float32 [batch, height, width, filters], with a smaller height and width for a stride or
      padding "VALID".
    """
    with tf.variable_scope(name, "conv2d"):
        kernel = _variable("kernel", [size, size, inputs.shape[3], filters])
        outputs = tf.nn.conv2d(inputs, kernel, [stride] * 2, padding, name="Conv2D")
        return _with_bias(outputs) if use_bias else outputs


def batch_norm(inputs: tf.Tensor, epsilon: float, name: str | None = None) -> tf.Tensor:
    """Adds SCOPE/FusedBatchNorm, which normalises with stored statistics.

    Args:
      inputs: [batch, height, width, channels].
      epsilon: added to the variance.
      name: the scope; None for the first free of batch_normalization, batch_normalization_1, ...

    Returns:
      float32, in the shape of `inputs`.
    """
    with tf.variable_scope(name, "batch_normalization"):
        channels = [inputs.shape[3]]
        gamma, beta = _variable("gamma", channels), _variable("beta", channels)
        mean, variance = _variable("moving_mean", channels), _variable("moving_variance", channels)
        # TensorFlow 1.15 and later name the op FusedBatchNormV3; older published graphs do not.
        return tf.nn.fused_batch_norm(
            inputs, gamma, beta, mean, variance, epsilon, is_training=False, name="FusedBatchNorm"
        )[0]


def dense(inputs: tf.Tensor, units: int, name: str) -> tf.Tensor:
    """Adds NAME/MatMul and NAME/BiasAdd.

    Args:
      inputs: [batch, features].
      units: the number of output features.
      name: the scope.

    Returns:
      float32 [batch, units].
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
