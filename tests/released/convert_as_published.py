"""Converts a published SavedModel like a published .tflite.

The recipes are not published. Each one reproduces the published file, byte for byte, with the
TensorFlow that made it. The program runs on those TensorFlows, so it must also run on older Pythons
than the project's other programs.
"""

import numpy as np
import tensorflow as tf
from absl import app, flags

_RECIPE = flags.DEFINE_string("recipe", None, "A key of RECIPES.", required=True)
_SAVED_MODEL = flags.DEFINE_string("saved_model", None, "The SavedModel's folder.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The .tflite to write.", required=True)

_SIZE = [540, 960, 3]


def _black_and_white():
    """Yields a checkerboard with fields of 4 pixels.

    After training, only the clipped result has no range. Any pictures that contain black and white
    give it the same range.
    """
    fields = np.indices([32, 32]).sum(axis=0) // 4 % 2
    yield [np.repeat(255.0 * fields[np.newaxis, ..., np.newaxis], 3, 3).astype(np.float32)]


def _quantized_to_uint8(converter):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _black_and_white
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    return converter


def _from_signature(path, batch):
    """Returns a converter of a SavedModel's function with a fixed input size."""
    model = tf.saved_model.load(path)
    function = model.signatures["serving_default"]
    function.inputs[0].set_shape([batch, *_SIZE])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    # The function does not keep the variables alive.
    converter.model = model
    return converter


def _full_int8(path):
    name = "serving_default_input_1"
    converter = tf.compat.v1.lite.TFLiteConverter.from_saved_model(
        path, input_shapes={name: [1, *_SIZE]}
    )
    converter.inference_type = tf.int8
    converter.quantized_input_stats = {name: (-128, 1)}
    # Only the clipped result has no range of its own.
    converter.default_ranges_stats = (0, 255)
    return converter


RECIPES = {
    "f32b5_fp32": tf.lite.TFLiteConverter.from_saved_model,
    "f32b5_uint8": lambda path: _quantized_to_uint8(tf.lite.TFLiteConverter.from_saved_model(path)),
    "edsr_f32b5_fp32": lambda path: _from_signature(path, None),
    "edsr_f32b5_QAT": lambda path: _quantized_to_uint8(_from_signature(path, 1)),
    "edsr_f32b5_full_qint8": _full_int8,
}


def main(argv):
    """Converts by the given recipe."""
    del argv
    content = RECIPES[_RECIPE.value](_SAVED_MODEL.value).convert()
    with open(_OUTPUT.value, "wb") as stream:
        stream.write(content)


if __name__ == "__main__":
    app.run(main)
