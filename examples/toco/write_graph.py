"""Writes a frozen graph as quantization-aware training leaves it: `write_graph.py OUTPUT.pb`.

Weights and activations have their ranges in FakeQuant nodes. The weights come from a fixed seed and
are multiples of 2^-8, so they are the same on every CPU; they are not trained.
"""

import sys

import numpy as np
import tensorflow.compat.v1 as tf

RANDOM = np.random.default_rng(1)


def weights(*shape: int) -> tf.Tensor:
    """Returns weights from -0.5 to 0.5 with their range."""
    values = RANDOM.integers(-128, 128, shape) / 256
    return tf.fake_quant_with_min_max_vars(tf.constant(values, tf.float32), -0.5, 0.5)


def activation(x: tf.Tensor, channels: int) -> tf.Tensor:
    """Returns relu6(x + bias) with its range."""
    bias = tf.constant(RANDOM.integers(0, 128, channels) / 256, tf.float32)
    return tf.fake_quant_with_min_max_vars(tf.nn.relu6(tf.nn.bias_add(x, bias)), 0.0, 6.0)


def main(output: str) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [1, 32, 32, 3], name="image")
        x = activation(tf.nn.conv2d(x, weights(3, 3, 3, 8), 2, "SAME"), 8)
        x = activation(tf.nn.depthwise_conv2d(x, weights(3, 3, 8, 1), [1, 1, 1, 1], "SAME"), 8)
        x = activation(tf.nn.conv2d(x, weights(1, 1, 8, 16), 1, "SAME"), 16)
        x = tf.nn.avg_pool(x, 16, 1, "VALID")
        x = tf.matmul(tf.reshape(x, [1, 16]), weights(16, 10))
        x = tf.nn.bias_add(x, tf.zeros([10]))
        x = tf.fake_quant_with_min_max_vars(x, -16.0, 16.0)
        tf.nn.softmax(x, name="probabilities")
    with open(output, "wb") as stream:
        stream.write(graph.as_graph_def().SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(sys.argv[1])
