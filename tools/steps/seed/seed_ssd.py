"""Writes a checkpoint of an SSD model with seeded weights, calibrated on photographs.

The graph comes from the genuine code (Object Detection API, contrib.quantize), and the variables
are exactly those of the genuine checkpoint's signature. With --fine_tune_checkpoint, a
quantization-aware model takes weights and batch-norm statistics from a float checkpoint, as
quantization-aware training does; only its ranges are new.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags
from object_detection.builders import graph_rewriter_builder, model_builder

from reproducible_tflite.lib.checkpoint import checkpoint
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import photographs
from reproducible_tflite.steps.export import pipeline, tf1_compat
from reproducible_tflite.steps.seed import seeding

_PIPELINE_CONFIG = flags.DEFINE_string(
    "pipeline_config", None, "The pipeline config.", required=True
)
_SEED = flags.DEFINE_integer("seed", None, "The weights' seed.", lower_bound=0, required=True)
_PHOTOGRAPHS = flags.DEFINE_list("photographs", None, "PNG or JPEG files.", required=True)
_FINE_TUNE_CHECKPOINT = flags.DEFINE_string(
    "fine_tune_checkpoint", None, "Prefix of a float checkpoint for all values except the ranges."
)
_SIGNATURE = flags.DEFINE_string(
    "signature", None, "The genuine checkpoint's variables, if they are published."
)
_OUTPUT = flags.DEFINE_string("output", None, "Prefix of the checkpoint to write.", required=True)

_INPUT = "photographs"
# The training step in the genuine checkpoints.
_GLOBAL_STEP = 400000


def build_graph(config: pipeline.PipelineConfig, batch: int, quantize: bool) -> tf.Graph:
    """Builds the genuine inference graph on pixel values.

    Returns:
      A graph with the placeholder `_INPUT`: float32 [batch, height, width, 3], 0 to 255.
    """
    resizer = config.model.ssd.image_resizer.fixed_shape_resizer
    with tf.Graph().as_default() as graph:
        shape = [batch, resizer.height, resizer.width, 3]
        pixels = tf.placeholder(tf.float32, shape, name=_INPUT)
        model = model_builder.build(config.model, is_training=False)
        # The converter's mean and std replace this preprocessing; the pixels are already resized.
        inputs = model.feature_extractor.preprocess(pixels)
        predictions = model.predict(inputs, true_image_shapes=None)
        # contrib.quantize inspects the consumers of the last layers, so they need some.
        tf.identity(predictions["box_encodings"])
        tf.identity(predictions["class_predictions_with_background"])
        tf.train.get_or_create_global_step()
        if quantize:
            graph_rewriter_builder.build(config.graph_rewriter, is_training=False)()
    return graph


def class_bias_offsets(graph: tf.Graph, config: pipeline.PipelineConfig) -> dict[str, float]:
    """Returns the means of the class predictors' biases by name: the config's initial value."""
    predictor = config.model.ssd.box_predictor.convolutional_box_predictor
    return {
        name: predictor.class_prediction_bias_init
        for name in checkpoint.graph_variables(graph)
        if name.endswith("/ClassPredictor/biases")
    }


def main(argv: Sequence[str]) -> None:
    """Writes the checkpoint."""
    del argv
    tf1_compat.install()
    config = pipeline.read(_PIPELINE_CONFIG.value)
    pipeline.check_ssd(config, _PIPELINE_CONFIG.value)
    quantized = config.HasField("graph_rewriter")
    if _FINE_TUNE_CHECKPOINT.value and not quantized:
        raise cli.UserError(
            f"{_PIPELINE_CONFIG.value}: has no graph_rewriter, so --fine_tune_checkpoint leaves"
            " nothing to seed."
        )
    resizer = config.model.ssd.image_resizer.fixed_shape_resizer
    pixels = photographs.read(_PHOTOGRAPHS.value, resizer.height, resizer.width)
    with pipeline.builder_errors(_PIPELINE_CONFIG.value):
        graph = build_graph(config, len(pixels), quantize=False)
        quantized_graph = build_graph(config, len(pixels), quantize=True) if quantized else None
    seeding.write_checkpoint(
        _OUTPUT.value,
        graph,
        quantized_graph,
        seeding.Seeding(
            source=_PIPELINE_CONFIG.value,
            seed=_SEED.value,
            feeds={_INPUT: pixels.astype(np.float64)},
            global_step=_GLOBAL_STEP,
            offsets=class_bias_offsets(graph, config),
        ),
        _SIGNATURE.value,
        _FINE_TUNE_CHECKPOINT.value,
    )


if __name__ == "__main__":
    cli.run(main)
