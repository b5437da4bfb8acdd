"""Run-time adaptations for TensorFlow 1 model code under TensorFlow 2.15.

Most adaptations are made when the code is fetched, in third_party/object_detection/adapt.py and
third_party/contrib_quantize/adapt.py. The ones here concern installed wheels.
"""

import warnings

import tensorflow.compat.v1 as tf
from keras.src.legacy_tf_layers import normalization as keras_normalization
from tensorflow.python.framework import ops, tensor
from tensorflow.python.layers import normalization


def install() -> None:
    """Makes TensorFlow behave as version 1, with support for tf-slim 1.1.0.

    Call it before building a graph. tf-slim's batch norm needs `ops.Tensor`
    (tf_slim/layers/utils.py, constant_value), which is `tensor.Tensor` in TensorFlow 2.15, and
    calls its layer in a way that Keras warns about. TensorFlow looks for that layer in tf_keras, a
    package that it neither needs nor brings; its own Keras has the same layer.
    """
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.disable_v2_behavior()
    ops.Tensor = tensor.Tensor
    normalization.BatchNormalization = keras_normalization.BatchNormalization
    warnings.filterwarnings("ignore", message="`layer.apply` is deprecated")
