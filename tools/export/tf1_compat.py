"""What TensorFlow 1 model code still needs at run time under TensorFlow 2.15 to 2.17.

Nearly everything is settled where the code is fetched: third_party/object_detection/adapt.py and
third_party/contrib_quantize/adapt.py. What stays here belongs to an installed wheel.
"""

import warnings

from tensorflow.python.framework import ops, tensor


def install() -> None:
    """Gives tf-slim 1.1.0 what it expects; to be called before a graph is built.

    Every batch norm asks for `ops.Tensor` (tf_slim/layers/utils.py, constant_value), which is
    `tensor.Tensor` in TensorFlow 2.15, and calls its layer in a way that Keras warns of.
    """
    ops.Tensor = tensor.Tensor
    warnings.filterwarnings("ignore", message="`layer.apply` is deprecated")
