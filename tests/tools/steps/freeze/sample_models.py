"""Writes small sample models with seeded weights: SavedModels, and files of the Keras at hand.

Usage: sample_models KIND OUTPUT; a kind is a key of KINDS.
"""

import shutil
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from reproducible_tflite.lib.cli import cli

SHAPE = (8, 8, 3)


def _values(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def classifier() -> keras.Model:
    """Returns a Keras model with a batch norm: `image` [batch, 8, 8, 3] to `classes` [batch, 5]."""
    image = keras.Input(SHAPE, name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", name="convolution")(image)
    x = keras.layers.BatchNormalization(name="normalization")(x)
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(keras.layers.ReLU()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(5, activation="softmax", name="classes")(x))
    model.set_weights(
        [np.abs(_values(seed, *weight.shape)) for seed, weight in enumerate(model.get_weights())]
    )
    return model


def keras_file(path: str) -> None:
    """Writes the classifier in the format of the path's ending."""
    classifier().save(path)


class TwoSignatures(tf.Module):
    """Two inputs and two outputs, and a loop, in a signature each."""

    def __init__(self) -> None:
        self.kernel = tf.Variable(_values(1, 4, 3), name="kernel")

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 4], tf.float32, "left"),
            tf.TensorSpec([None, 4], tf.float32, "right"),
        ]
    )
    def both(self, left: tf.Tensor, right: tf.Tensor) -> dict[str, tf.Tensor]:
        product = tf.matmul(left - right, self.kernel)
        return {"sum": tf.reduce_sum(product, 1), "product": product}

    @tf.function(input_signature=[tf.TensorSpec([1, 3], tf.float32, "x")])
    def loop(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        for _ in tf.range(3):
            x = tf.tanh(tf.matmul(x, self.kernel[:3]))
        return {"y": x}


def two_signatures(folder: str) -> None:
    """Writes a SavedModel with the signatures `both` and `loop`."""
    module = TwoSignatures()
    signatures = {"both": module.both, "loop": module.loop}
    tf.saved_model.save(module, folder, signatures=signatures)


def saved_classifier(folder: str) -> None:
    """Writes the classifier as a SavedModel."""
    tf.saved_model.save(classifier(), folder)


def version_1(folder: str) -> None:
    """Writes a SavedModel of TensorFlow 1, with its kind of variable: y = softmax(x * kernel)."""
    # TensorFlow's writer refuses a folder that is there, and an action's output folder is.
    shutil.rmtree(folder, ignore_errors=True)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="entry")
        kernel = tf.compat.v1.get_variable(
            "kernel", initializer=_values(1, 4, 3), use_resource=False
        )
        y = tf.nn.softmax(tf.matmul(x, kernel), name="result")
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, folder, {"x": x}, {"y": y})


KINDS: dict[str, Callable[[str], None]] = {
    function.__name__: function
    for function in (keras_file, saved_classifier, two_signatures, version_1)
}


def main(argv: Sequence[str]) -> None:
    _, kind, output = argv
    KINDS[kind](output)


if __name__ == "__main__":
    cli.run(main, positional=2)
