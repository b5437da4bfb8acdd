"""Exports an SSD checkpoint as the frozen graph that TensorFlow Lite's converters take.

Runs the genuine `object_detection/export_tflite_ssd_graph_lib.py`. It also checks that the
checkpoint fits the graph before it is restored, and that the written post-processing op has the
requested attributes.
"""

import os
import tempfile
from collections.abc import Sequence

import tensorflow.compat.v1 as tf
from absl import flags
from object_detection import export_tflite_ssd_graph_lib

from reproducible_tflite.lib.checkpoint import checkpoint
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.canonicalize.graph_def import canonical_bytes
from reproducible_tflite.steps.export import pipeline, postprocessing, tf1_compat

_PIPELINE_CONFIG = flags.DEFINE_string(
    "pipeline_config", None, "The pipeline config.", required=True
)
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "The checkpoint's prefix.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The frozen GraphDef (.pb) to write.", required=True)
_MAX_DETECTIONS = flags.DEFINE_integer(
    "max_detections", 10, "The most boxes of the post-processing.", lower_bound=1
)
_MAX_CLASSES_PER_DETECTION = flags.DEFINE_integer(
    "max_classes_per_detection", 1, "Classes per box (fast NMS only).", lower_bound=1
)
_DETECTIONS_PER_CLASS = flags.DEFINE_integer(
    "detections_per_class", 100, "Boxes per class (regular NMS only).", lower_bound=1
)
_USE_REGULAR_NMS = flags.DEFINE_bool(
    "use_regular_nms", False, "Non-maximum suppression per class instead of the fast one."
)


def expected_attributes(config: pipeline.PipelineConfig) -> dict[str, bool | int | float]:
    """Returns the attributes that the post-processing op must have, from flags and config."""
    suppression = config.model.ssd.post_processing.batch_non_max_suppression
    return {
        "max_detections": _MAX_DETECTIONS.value,
        "max_classes_per_detection": _MAX_CLASSES_PER_DETECTION.value,
        "detections_per_class": _DETECTIONS_PER_CLASS.value,
        "use_regular_nms": _USE_REGULAR_NMS.value,
        "nms_score_threshold": suppression.score_threshold,
        "nms_iou_threshold": suppression.iou_threshold,
        "num_classes": config.model.ssd.num_classes,
    }


def export(config: pipeline.PipelineConfig, directory: str) -> tf.GraphDef:
    """Runs the genuine exporter with the flags' settings.

    Raises:
      UserError: the model cannot be built, or the checkpoint does not fit it or is damaged.
    """

    def check_checkpoint(graph: tf.Graph, prefix: str) -> None:
        # Reading compares checksums and names a damaged file; restoring would not.
        checkpoint.read_values(prefix, checkpoint.graph_variables(graph))

    with pipeline.builder_errors(_PIPELINE_CONFIG.value):
        export_tflite_ssd_graph_lib.export_tflite_graph(
            config,
            _CHECKPOINT.value,
            directory,
            True,  # add_postprocessing_op
            _MAX_DETECTIONS.value,
            _MAX_CLASSES_PER_DETECTION.value,
            detections_per_class=_DETECTIONS_PER_CLASS.value,
            use_regular_nms=_USE_REGULAR_NMS.value,
            binary_graph_name="graph.pb",
            check_checkpoint=check_checkpoint,
        )
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(cli.read_file(os.path.join(directory, "graph.pb"), "exported graph"))
    return graph_def


def main(argv: Sequence[str]) -> None:
    """Exports the graph, checks it and writes it."""
    del argv
    tf1_compat.install()
    config = pipeline.read(_PIPELINE_CONFIG.value)
    pipeline.check_ssd(config, _PIPELINE_CONFIG.value)
    checkpoint.open_checkpoint(_CHECKPOINT.value)
    with tempfile.TemporaryDirectory() as directory:
        graph_def = export(config, directory)
    postprocessing.check_attributes(graph_def, expected_attributes(config), _OUTPUT.value)
    with cli.output_file(_OUTPUT.value) as stream:
        stream.write(canonical_bytes(graph_def.SerializeToString(), _OUTPUT.value))


if __name__ == "__main__":
    cli.run(main)
