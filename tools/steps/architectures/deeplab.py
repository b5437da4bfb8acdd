"""DeepLab on MobileNet v2, as deeplab/export_model.py builds it.

The genuine code defines flags for the parts of the network (deeplab/common.py), such as
--decoder_output_stride. They are flags of this program too.
"""

import contrib_quantize
import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags
from deeplab import common, model

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.architectures import program

_CROP_SIZE = flags.DEFINE_integer(
    "crop_size", 513, "Height and width of the input in pixels.", lower_bound=1
)
_NUM_CLASSES = flags.DEFINE_integer("num_classes", 21, "How many classes there are.", lower_bound=1)
_OUTPUT_STRIDE = flags.DEFINE_integer(
    "output_stride", 16, "Ratio of the input's side to the encoder output's.", lower_bound=1
)

# The genuine exporter's input, and the tensor of scaled pixels at which published graphs are cut.
_PIXELS = "ImageTensor"
_INPUT = "MobilenetV2/MobilenetV2/input"
_OUTPUT = "ArgMax"
_BACKBONE = "mobilenet_v2"
# With it, a photograph's logits have a standard deviation of 3.5.
_CLASSIFIER_GAIN = 4.0


def build(
    num_classes: int, output_stride: int, shape: tuple[int, int, int], quantize: bool
) -> tf.Graph:
    """Builds the inference graph.

    Returns:
      A graph from the tensor `_INPUT`, float32 [batch, height, width, 3], -1 to 1, to the tensor
      `_OUTPUT`, int64 [batch, height, width], the classes.

    Raises:
      UserError: the network cannot be built with these options.
    """
    with tf.Graph().as_default() as graph:
        pixels = tf.placeholder(tf.float32, [*shape, 3], name=_PIXELS)
        try:
            options = common.ModelOptions(
                outputs_to_num_classes={common.OUTPUT_TYPE: num_classes},
                crop_size=shape[1:],
                output_stride=output_stride,
            )
            model.predict_labels(pixels, options)
        except KeyError as error:
            raise cli.UserError(
                f"--decoder_output_stride: {_BACKBONE} has no features of stride {error}."
            ) from error
        except ValueError as error:
            raise cli.UserError(
                f"DeepLab cannot be built with these options: {cli.first_line(error)}."
            ) from error
        if quantize:
            contrib_quantize.create_eval_graph()
    return graph


def seeded_value(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """Returns the classifier's kernel; None for other variables. See `GraphCode.seeded_value`."""
    if name != "logits/semantic/weights":
        return None
    return weights.contrasting_kernel(seed, name, shape, _CLASSIFIER_GAIN)


def graph_code() -> program.GraphCode:
    """Returns the graph code for the flags.

    Raises:
      UserError: the flags ask for another backbone.
    """
    if flags.FLAGS.model_variant != _BACKBONE:
        raise cli.UserError(
            f"--model_variant={flags.FLAGS.model_variant}: is not supported; use {_BACKBONE}."
        )
    return program.GraphCode(
        source="DeepLab",
        build=lambda batch, height, width, quantize: build(
            _NUM_CLASSES.value, _OUTPUT_STRIDE.value, (batch, height, width), quantize
        ),
        input=_INPUT,
        outputs=[_OUTPUT],
        height=_CROP_SIZE.value,
        width=_CROP_SIZE.value,
        seeded_value=seeded_value,
    )


if __name__ == "__main__":
    program.run(graph_code)
