"""What TensorFlow 1 model code still needs at run time under TensorFlow 2.15.

Nearly everything is settled where the code is fetched: third_party/object_detection/adapt.py and
third_party/contrib_quantize/adapt.py. What stays here belongs to an installed wheel.
"""

import warnings

import tensorflow.compat.v1 as tf
from keras.src.legacy_tf_layers import normalization as keras_normalization
from tensorflow.python.framework import ops, tensor
from tensorflow.python.layers import normalization


def install() -> None:
    """Makes TensorFlow behave as version 1 and tf-slim 1.1.0 run; to be called before a graph.

    tf-slim's batch norm asks for `ops.Tensor` (tf_slim/layers/utils.py, constant_value), which is
    `tensor.Tensor` in TensorFlow 2.15, and calls its layer in a way that Keras warns of. The layer
    itself is looked for in tf_keras, a package that TensorFlow 2.15 neither needs nor brings; its
    own Keras has the same one.
    """
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.disable_v2_behavior()
    ops.Tensor = tensor.Tensor
    normalization.BatchNormalization = keras_normalization.BatchNormalization
    warnings.filterwarnings("ignore", message="`layer.apply` is deprecated")
