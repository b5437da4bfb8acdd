"""Writes a checkpoint of an SSD model with seeded weights, calibrated on photographs.

The graph is the genuine one (Object Detection API, contrib.quantize), the variables are exactly
those of the genuine checkpoint's signature. With --fine_tune_checkpoint a quantization-aware model
takes its weights and batch-norm statistics from a float checkpoint, as quantization-aware training
does, and only its ranges are new.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags
from object_detection.builders import graph_rewriter_builder, model_builder

from tools.cli import cli
from tools.export import checkpoint, pipeline, tf1_compat
from tools.seed import calibrate, checkpoint_writer, photographs, signature, weights

_PIPELINE_CONFIG = flags.DEFINE_string(
    "pipeline_config", None, "The pipeline config.", required=True
)
_SEED = flags.DEFINE_integer("seed", None, "The weights' seed.", lower_bound=0, required=True)
_PHOTOGRAPHS = flags.DEFINE_list("photographs", None, "PNG or JPEG files.", required=True)
_FINE_TUNE_CHECKPOINT = flags.DEFINE_string(
    "fine_tune_checkpoint", None, "Prefix of a float checkpoint to take all but the ranges from."
)
_SIGNATURE = flags.DEFINE_string(
    "signature", None, "The genuine checkpoint's variables.", required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "Prefix of the checkpoint to write.", required=True)

_INPUT = "photographs"
# The training step that the genuine checkpoints state.
_GLOBAL_STEP = 400000


def build_graph(config: pipeline.PipelineConfig, batch: int, quantize: bool) -> tf.Graph:
    """Builds the genuine inference graph on pixel values.

    Args:
      config: an SSD pipeline config with a fixed input size.
      batch: how many photographs it takes at once.
      quantize: whether contrib.quantize rewrites it.

    Returns:
      A graph with the placeholder `_INPUT`: float32 [batch, height, width, 3], 0 to 255.
    """
    resizer = config.model.ssd.image_resizer.fixed_shape_resizer
    with tf.Graph().as_default() as graph:
        shape = [batch, resizer.height, resizer.width, 3]
        pixels = tf.placeholder(tf.float32, shape, name=_INPUT)
        model = model_builder.build(config.model, is_training=False)
        # The converter's mean and std stand for this preprocessing; the resizing is already done.
        inputs = model.feature_extractor.preprocess(pixels)
        predictions = model.predict(inputs, true_image_shapes=None)
        # contrib.quantize looks at what follows the last layers, so they need a consumer.
        tf.identity(predictions["box_encodings"])
        tf.identity(predictions["class_predictions_with_background"])
        tf.train.get_or_create_global_step()
        if quantize:
            graph_rewriter_builder.build(config.graph_rewriter, is_training=False)()
    return graph


def seed_float(
    graph: tf.Graph, config: pipeline.PipelineConfig, feeds: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns values of a float graph's variables: seeded weights, measured statistics, the step.

    Raises:
      UserError: the graph cannot be calibrated, or has a variable that is neither seeded nor
        measured.
    """
    graph_def = graph.as_graph_def()
    variables = checkpoint.graph_variables(graph)
    predictor = config.model.ssd.box_predictor.convolutional_box_predictor
    offsets = {
        name: predictor.class_prediction_bias_init
        for name in variables
        if name.endswith("/ClassPredictor/biases")
    }
    offsets |= dict.fromkeys(calibrate.rectified_betas(graph_def), weights.RECTIFIED_BETA)
    values = {"global_step": np.array(_GLOBAL_STEP, np.int64)}
    for name, variable in variables.items():
        output = f"{name.rpartition('/')[0]}/biases" in variables
        value = weights.seeded_value(
            _SEED.value, name, variable.shape, offsets.get(name, 0.0), output
        )
        if value is not None:
            values[name] = value
    calibrate.check_covered(graph_def, variables, values, _PIPELINE_CONFIG.value)
    return values | calibrate.batch_norm_moments(graph_def, values, feeds)


def main(argv: Sequence[str]) -> None:
    """Seeds, calibrates, holds against the signature and writes."""
    del argv
    tf1_compat.install()
    config = pipeline.read(_PIPELINE_CONFIG.value)
    pipeline.check_ssd(config, _PIPELINE_CONFIG.value)
    genuine = signature.read(_SIGNATURE.value)
    quantized = config.HasField("graph_rewriter")
    if _FINE_TUNE_CHECKPOINT.value and not quantized:
        raise cli.UserError(
            f"{_PIPELINE_CONFIG.value}: has no graph_rewriter, so nothing is left to seed with"
            " --fine_tune_checkpoint."
        )
    resizer = config.model.ssd.image_resizer.fixed_shape_resizer
    pixels = photographs.read(_PHOTOGRAPHS.value, resizer.height, resizer.width)
    feeds = {_INPUT: pixels.astype(np.float64)}
    with pipeline.builder_errors(_PIPELINE_CONFIG.value):
        float_graph = final_graph = build_graph(config, len(pixels), quantize=False)
        if quantized:
            final_graph = build_graph(config, len(pixels), quantize=True)
    found = checkpoint.graph_variables(final_graph)
    signature.check_equal(found, genuine, _SIGNATURE.value)
    if _FINE_TUNE_CHECKPOINT.value:
        needed = checkpoint.graph_variables(float_graph)
        values = checkpoint.read_values(_FINE_TUNE_CHECKPOINT.value, needed)
        values["global_step"] = np.array(_GLOBAL_STEP, np.int64)
    else:
        values = seed_float(float_graph, config, feeds)
    if quantized:
        graph_def = final_graph.as_graph_def()
        calibrate.check_covered(graph_def, found, values, _PIPELINE_CONFIG.value)
        values |= calibrate.fake_quant_ranges(graph_def, values, feeds)
    checkpoint_writer.write(_OUTPUT.value, {name: np.asarray(values[name]) for name in found})


if __name__ == "__main__":
    cli.run(main)
