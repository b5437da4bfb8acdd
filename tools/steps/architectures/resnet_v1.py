"""ResNet v1 with 50 layers, with the names of TensorFlow's official models.

The published graph is MLPerf inference's resnet50_v1.pb (Zenodo 2535873), made with
tensorflow/models official/resnet (later official/r1/resnet) and --resnet_version=1. No registry has
that code, so this module builds the architecture: He et al., "Deep residual learning for image
recognition" (2015), table 1, with three choices of the official code. A block that halves the
feature map does so in its 3x3 convolution, not in the 1x1 before it ("v1.5"). The padding of a
strided convolution depends on its kernel only, so that the map's size does not shift the pixels.
And class 0 is the background.
"""

import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.architectures import layers, program

_NUM_CLASSES = flags.DEFINE_integer(
    "num_classes", 1001, "Number of classes, background included.", lower_bound=2
)

INPUT = "input_tensor"
# The published graph's outputs; a .tflite usually ends before them, at LOGITS.
OUTPUTS = ("ArgMax", "softmax_tensor")
LOGITS = "resnet_model/dense/BiasAdd"
SIZE = 224

_FILTERS = 64
_BLOCKS = (3, 4, 6, 3)
_EXPANSION = 4
_EPSILON = 1e-5
# With it, the likeliest of 1001 classes has a probability of 0.03 to 0.34 for 24 photographs.
_CLASSIFIER_GAIN = 8.0


def build(batch: int, height: int, width: int, num_classes: int) -> tf.Graph:
    """Builds the inference graph.

    Returns:
      A graph from `INPUT`, float32 [batch, height, width, 3], RGB minus ImageNet's mean, to
      `OUTPUTS`: int64 [batch] and float32 [batch, num_classes].
    """
    with tf.Graph().as_default() as graph:
        pictures = tf.placeholder(tf.float32, [batch, height, width, 3], name=INPUT)
        with tf.variable_scope("resnet_model"):
            logits = _logits(pictures, num_classes)
        tf.argmax(logits, axis=1, name="ArgMax")
        tf.nn.softmax(logits, name="softmax_tensor")
    return graph


def _logits(pictures: tf.Tensor, num_classes: int) -> tf.Tensor:
    outputs = tf.identity(_convolution(pictures, _FILTERS, 7, 2), "initial_conv")
    outputs = tf.nn.relu(layers.batch_norm(outputs, _EPSILON))
    with tf.name_scope("max_pooling2d"):
        outputs = tf.nn.max_pool2d(outputs, 3, 2, "SAME", name="MaxPool")
    outputs = tf.identity(outputs, "initial_max_pool")
    for stage, blocks in enumerate(_BLOCKS):
        filters = _FILTERS * 2**stage
        outputs = _block(outputs, filters, 1 if stage == 0 else 2, project=True)
        for _ in range(1, blocks):
            outputs = _block(outputs, filters, 1, project=False)
        outputs = tf.identity(outputs, f"block_layer{stage + 1}")
    outputs = tf.identity(tf.reduce_mean(outputs, [1, 2], keepdims=True), "final_reduce_mean")
    outputs = layers.dense(tf.squeeze(outputs, [1, 2]), num_classes, "dense")
    return tf.identity(outputs, "final_dense")


def _block(inputs: tf.Tensor, filters: int, stride: int, project: bool) -> tf.Tensor:
    """Adds a bottleneck block, whose shortcut is a convolution if `project`.

    Returns:
      [batch, height / stride, width / stride, 4 * filters].
    """
    shortcut = inputs
    if project:
        shortcut = _convolution(inputs, _EXPANSION * filters, 1, stride)
        shortcut = layers.batch_norm(shortcut, _EPSILON)
    outputs = tf.nn.relu(layers.batch_norm(_convolution(inputs, filters, 1, 1), _EPSILON))
    outputs = tf.nn.relu(layers.batch_norm(_convolution(outputs, filters, 3, stride), _EPSILON))
    outputs = layers.batch_norm(_convolution(outputs, _EXPANSION * filters, 1, 1), _EPSILON)
    return tf.nn.relu(tf.add(outputs, shortcut, name="add"))


def _convolution(inputs: tf.Tensor, filters: int, size: int, stride: int) -> tf.Tensor:
    """Adds a convolution; a strided one pads (size - 1) / 2 pixels on each side explicitly."""
    if stride == 1:
        return layers.convolution(inputs, filters, size)
    before = (size - 1) // 2
    sides = [before, size - 1 - before]
    padded = tf.pad(inputs, [[0, 0], sides, sides, [0, 0]])
    return layers.convolution(padded, filters, size, stride, "VALID")


def seeded_value(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """Returns the classifier's kernel; None for other variables. See `GraphCode.seeded_value`."""
    if name != "resnet_model/dense/kernel":
        return None
    return weights.contrasting_kernel(seed, name, shape, _CLASSIFIER_GAIN)


def graph_code() -> program.GraphCode:
    """Returns the graph code for the flags."""

    def build_float(batch: int, height: int, width: int, quantize: bool) -> tf.Graph:
        if quantize:
            raise cli.UserError("--quantize: no quantization-aware ResNet50 v1 is published.")
        return build(batch, height, width, _NUM_CLASSES.value)

    return program.GraphCode(
        source="ResNet50 v1",
        build=build_float,
        input=INPUT,
        outputs=OUTPUTS,
        height=SIZE,
        width=SIZE,
        seeded_value=seeded_value,
    )


if __name__ == "__main__":
    program.run(graph_code)
