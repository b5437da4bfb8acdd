"""The networks of MLPerf Tiny, with the layers and names of its published Keras files.

Banbury et al., "MLPerf Tiny benchmark" (2021). Their training code, mlcommons/tiny, is in no
registry, so the layers are stated here; a test holds them against the published files.
"""

import keras
import tensorflow as tf
from keras import layers

from reproducible_tflite.steps.architectures import keras_program

_VWW_CLASSES = 2
# (stride, filters) of the separable convolutions of MobileNet v1 with a width of 1/4.
_VWW_BLOCKS = (
    *((1, 16), (2, 32), (1, 32), (2, 64), (1, 64), (2, 128)),
    *(5 * ((1, 128),)),
    *((2, 256), (1, 256)),
)
_CIFAR10_CLASSES = 10
_RESNET_FILTERS = (16, 32, 64)
# Ten keywords, silence and the unknown.
_KEYWORDS = 12
_KWS_SHAPE = (49, 10, 1)
_KWS_FILTERS = 64
_KWS_BLOCKS = 4
_AD_WIDTHS = (128, 128, 128, 128, 8, 128, 128, 128, 128)
_AD_FRAMES, _AD_BANDS = 5, 128
_WAKE_WORD_CLASSES = 3
_WAKE_WORD_SHAPE = (30, 1, 40)
# (length of the kernel in frames, filters).
_WAKE_WORD_BLOCKS = ((3, 128), (5, 128), (10, 128), (15, 32))


def _normed(outputs: tf.Tensor) -> tf.Tensor:
    return layers.Activation("relu")(layers.BatchNormalization()(outputs))


def _separable(inputs: tf.Tensor, filters: int, stride: int = 1) -> tf.Tensor:
    """Adds a depthwise 3x3 and a 1x1 convolution, each with a batch norm and a rectifier."""
    depthwise = layers.DepthwiseConv2D(3, strides=stride, padding="same")
    outputs = _normed(depthwise(inputs))
    return _normed(layers.Conv2D(filters, 1, padding="same")(outputs))


def _classified(inputs: tf.Tensor, classes: int) -> tf.Tensor:
    return layers.Dense(classes, activation="softmax")(layers.Flatten()(inputs))


def visual_wake_words() -> keras.Model:
    """Returns MobileNet v1 with a width of 1/4, which tells whether there is a person."""
    inputs = layers.Input((96, 96, 3))
    outputs = _normed(layers.Conv2D(8, 3, strides=2, padding="same")(inputs))
    for stride, filters in _VWW_BLOCKS:
        outputs = _separable(outputs, filters, stride)
    outputs = layers.AveragePooling2D(outputs.shape[1:3])(outputs)
    return keras.Model(inputs, _classified(outputs, _VWW_CLASSES))


def image_classification() -> keras.Model:
    """Returns ResNet v1 with 8 layers, for the classes of CIFAR-10."""

    def convolution(filters: int, size: int, stride: int = 1) -> layers.Layer:
        return layers.Conv2D(filters, size, strides=stride, padding="same")

    inputs = layers.Input((32, 32, 3))
    outputs = _normed(convolution(_RESNET_FILTERS[0], 3)(inputs))
    for stage, filters in enumerate(_RESNET_FILTERS):
        stride = 2 if stage else 1
        branch = _normed(convolution(filters, 3, stride)(outputs))
        branch = layers.BatchNormalization()(convolution(filters, 3)(branch))
        if stage:
            outputs = convolution(filters, 1, stride)(outputs)
        outputs = layers.Activation("relu")(layers.Add()([outputs, branch]))
    outputs = layers.AveragePooling2D(outputs.shape[1])(outputs)
    return keras.Model(inputs, _classified(outputs, _CIFAR10_CLASSES))


def keyword_spotting() -> keras.Model:
    """Returns the DS-CNN of Zhang et al., "Hello edge" (2017), for ten keywords."""
    inputs = layers.Input(_KWS_SHAPE)
    first = layers.Conv2D(_KWS_FILTERS, (10, 4), strides=2, padding="same")
    outputs = layers.Dropout(0.2)(_normed(first(inputs)))
    for _ in range(_KWS_BLOCKS):
        outputs = _separable(outputs, _KWS_FILTERS)
    outputs = layers.Dropout(0.4)(outputs)
    outputs = layers.AveragePooling2D(outputs.shape[1:3])(outputs)
    return keras.Model(inputs, _classified(outputs, _KEYWORDS), name="functional_1")


def anomaly_detection() -> keras.Model:
    """Returns the autoencoder of DCASE 2020's task 2, for five frames of a log-mel spectrogram."""
    inputs = layers.Input((_AD_FRAMES * _AD_BANDS,))
    outputs = inputs
    for width in _AD_WIDTHS:
        outputs = _normed(layers.Dense(width)(outputs))
    outputs = layers.Dense(_AD_FRAMES * _AD_BANDS)(outputs)
    return keras.Model(inputs, outputs, name="functional_1")


def streaming_wakeword() -> keras.Model:
    """Returns four separable convolutions over time: wake word, silence or something else."""
    inputs = outputs = layers.Input(_WAKE_WORD_SHAPE)
    for length, filters in _WAKE_WORD_BLOCKS:
        outputs = layers.DepthwiseConv2D((length, 1), use_bias=False)(outputs)
        outputs = _normed(layers.Conv2D(filters, 1, use_bias=False)(outputs))
        outputs = layers.Dropout(0.2)(outputs)
    return keras.Model(inputs, _classified(outputs, _WAKE_WORD_CLASSES))


NETWORKS = {
    "ad01": keras_program.Network(anomaly_detection, (_AD_FRAMES, _AD_BANDS)),
    "kws": keras_program.Network(keyword_spotting, _KWS_SHAPE[:2]),
    "resnet8": keras_program.Network(image_classification),
    "str_ww": keras_program.Network(streaming_wakeword, (_WAKE_WORD_SHAPE[0], _WAKE_WORD_SHAPE[2])),
    "vww_96": keras_program.Network(visual_wake_words),
}

if __name__ == "__main__":
    keras_program.run(NETWORKS)
