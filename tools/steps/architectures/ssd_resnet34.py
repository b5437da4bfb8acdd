"""MLPerf's SSD-ResNet34, which detects objects of COCO's 80 classes in pictures of 1200x1200.

The published graph is resnet34_tf.22.1.pb in tf_ssd_resnet34_22.1.zip (Zenodo 3345892), made by
MLPerf inference's others/cloud/single_stage_detector/tensorflow. No registry has that code, so this
module builds the architecture with the published names, in NHWC instead of NCHW. The backbone is
ResNet34 (He et al., 2015, table 1) up to conv4_x, which does not halve the map here. Five pairs of
convolutions follow, and a pair of heads with stride 3 at each of the six feature maps.

The published graph decodes boxes and suppresses non-maxima per class with TensorFlow's ops. Here a
single op does so: TFLite_Detection_PostProcess.
"""

import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags
from object_detection import export_tflite_ssd_graph_lib

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.architectures import default_boxes, layers, program

_SCORE_THRESHOLD = flags.DEFINE_float(
    "score_threshold", 0.05, "The least score of a detection.", lower_bound=0, upper_bound=1
)
_IOU_THRESHOLD = flags.DEFINE_float(
    "iou_threshold",
    0.5,
    "The largest intersection over union of two detections of a class.",
    lower_bound=0,
    upper_bound=1,
)
_MAX_DETECTIONS = flags.DEFINE_integer(
    "max_detections", 200, "The most detections, per class and in total.", lower_bound=1
)
_USE_REGULAR_NMS = flags.DEFINE_bool(
    "use_regular_nms", True, "Non-maximum suppression per class instead of the fast one."
)

INPUT = "image"
BOX_ENCODINGS = "ssd1200/box_encodings"
CLASS_LOGITS = "ssd1200/class_logits"
DETECTIONS = "TFLite_Detection_PostProcess"
NUM_CLASSES = 81

_EPSILON = 1e-5
# Stage: (filters, blocks, stride of the first block).
_STAGES = {1: (64, 3, 1), 2: (128, 4, 2), 3: (256, 6, 1)}
# Pair: (filters of its 1x1 and of its 3x3 convolution, stride and padding of the latter).
_ADDITIONAL_LAYERS = {
    "conv7": (256, 512, 2, "SAME"),
    "conv8": (256, 512, 2, "SAME"),
    "conv9": (128, 256, 2, "SAME"),
    "conv10": (128, 256, 2, "VALID"),
    "conv11": (128, 256, 1, "VALID"),
}
_HEAD_STRIDE = 3
# The mean of the background's biases. With it, a quarter of the default boxes have a class with a
# score above 0.05; without it all have one, unlike in a trained detector.
_BACKGROUND_BIAS = 8.0
_POST_PROCESSING_INPUTS = ("raw_outputs/box_encodings", "raw_outputs/class_predictions", "anchors")
# The variables do not depend on the picture's size. With a ninth of the pixels conv11 has one cell.
_CALIBRATION_SIZE = (400, 400)


def build(batch: int, height: int, width: int) -> tf.Graph:
    """Builds the inference graph without the post-processing op, which TensorFlow does not know.

    Args:
      batch: the number of pictures.
      height: pixels.
      width: pixels. The default boxes fit 1200x1200; other sizes are for calibration only.

    Returns:
      A graph from `INPUT`, float32 [batch, height, width, 3], RGB normalised with ImageNet's mean
      and deviation, to `BOX_ENCODINGS`, float32 [batch, boxes, 4], and `CLASS_LOGITS`, float32
      [batch, boxes, 81] with the background as class 0. Boxes are encoded as in the published
      graph: x, y, width, height relative to the default box, times 10, 10, 5, 5.
    """
    with tf.Graph().as_default() as graph:
        pictures = tf.placeholder(tf.float32, [batch, height, width, 3], name=INPUT)
        with tf.variable_scope("ssd1200"):
            boxes, logits = _multibox_head(_feature_maps(pictures))
        with tf.name_scope("raw_outputs"):
            # The op takes y, x, height, width.
            tf.gather(boxes, [1, 0, 3, 2], axis=2, name="box_encodings")
            tf.nn.softmax(logits, name="class_predictions")
        tf.constant(default_boxes.default_boxes(), name="anchors")
    return graph


def add_post_processing(
    frozen_graph: tf.GraphDef,
    score_threshold: float,
    iou_threshold: float,
    max_detections: int,
    use_regular_nms: bool,
) -> tf.GraphDef:
    """Adds `DETECTIONS` with the Object Detection API's own function.

    Args:
      frozen_graph: a frozen graph of `build`; changed in place.
      score_threshold: the least score of a detection.
      iou_threshold: the largest intersection over union of two detections of a class.
      max_detections: the most detections, per class and in total.
      use_regular_nms: whether non-maximum suppression is per class.

    Returns:
      The part of the graph that `DETECTIONS`, `BOX_ENCODINGS` and `CLASS_LOGITS` need.
    """
    # The function expects its numbers in sets.
    return export_tflite_ssd_graph_lib.append_postprocessing_op(
        frozen_graph,
        max_detections=max_detections,
        max_classes_per_detection=1,
        nms_score_threshold={score_threshold},
        nms_iou_threshold={iou_threshold},
        num_classes=NUM_CLASSES - 1,
        scale_values={"y_scale": {10.0}, "x_scale": {10.0}, "h_scale": {5.0}, "w_scale": {5.0}},
        detections_per_class=max_detections,
        use_regular_nms=use_regular_nms,
        additional_output_tensors=(BOX_ENCODINGS, CLASS_LOGITS),
    )


def _feature_maps(pictures: tf.Tensor) -> list[tf.Tensor]:
    """Adds the backbone and the additional layers; returns the six feature maps for the heads."""
    outputs = _rectified(_normalised(pictures, 64, 7, 2, "conv1"), "conv1")
    outputs = tf.nn.max_pool2d(outputs, 3, 2, "SAME", name="pool1/MaxPool")
    for stage, (filters, blocks, stride) in _STAGES.items():
        for block in range(1, blocks + 1):
            outputs = _residual_block(outputs, filters, stage, block, stride if block == 1 else 1)
    feature_maps = [outputs]
    for name, (narrow, wide, stride, padding) in _ADDITIONAL_LAYERS.items():
        scope = f"additional_layers/{name}/{name}"
        outputs = layers.convolution(outputs, narrow, 1, 1, "VALID", f"{scope}_1", use_bias=True)
        outputs = tf.nn.relu(outputs, f"{scope}_1/Relu")
        outputs = layers.convolution(outputs, wide, 3, stride, padding, f"{scope}_2", use_bias=True)
        outputs = tf.nn.relu(outputs, f"{scope}_2/Relu")
        feature_maps.append(outputs)
    return feature_maps


def _residual_block(
    inputs: tf.Tensor, filters: int, stage: int, block: int, stride: int
) -> tf.Tensor:
    """Adds two 3x3 convolutions and a shortcut, a 1x1 convolution where the channels change."""
    shortcut = inputs
    if inputs.shape[3] != filters:
        shortcut = _normalised(inputs, filters, 1, stride, f"stage{stage}_downsample")
    scope = f"stage{stage}_residul_block{block}"
    # In the published graph, the scopes of a strided block's convolutions have the numbers instead.
    first, second = ((scope, 1), (scope, 2)) if stride == 1 else ((f"{scope}_1",), (f"{scope}_2",))
    outputs = _rectified(_normalised(inputs, filters, 3, stride, *first), *first)
    outputs = _normalised(outputs, filters, 3, 1, *second)
    return _rectified(tf.add(outputs, shortcut, "add"), *second)


def _normalised(
    inputs: tf.Tensor, filters: int, size: int, stride: int, scope: str, number: int = 1
) -> tf.Tensor:
    """Adds SCOPE/SCOPE_NUMBER, a convolution, and SCOPE/SCOPE_bnNUMBER, its batch norm."""
    name = f"{scope}/{scope}"
    # A 1x1 convolution has no padding; the published graph states VALID for it.
    padding = "SAME" if size > 1 else "VALID"
    outputs = layers.convolution(inputs, filters, size, stride, padding, f"{name}_{number}")
    return layers.batch_norm(outputs, _EPSILON, f"{name}_bn{number}")


def _rectified(inputs: tf.Tensor, scope: str, number: int = 1) -> tf.Tensor:
    name = f"{scope}_relu{number}"
    return tf.nn.relu(inputs, f"{scope}/{name}/{name}")


def _multibox_head(feature_maps: list[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Adds the heads.

    Returns:
      Encoded boxes, [batch, boxes, 4], and class logits, [batch, boxes, 81], in the order of
      `default_boxes.default_boxes`.
    """
    predictions = {}
    for kind, values in (("cls", NUM_CLASSES), ("loc", 4)):
        flat = []
        for index, feature_map in enumerate(feature_maps):
            outputs = layers.convolution(
                feature_map,
                values * default_boxes.FEATURE_MAPS[index].boxes,
                3,
                _HEAD_STRIDE,
                name=f"multibox_head/{kind}_{index}",
                use_bias=True,
            )
            # [values, shapes, rows, columns], as in the PyTorch model from which the weights come.
            outputs = tf.transpose(outputs, [0, 3, 1, 2])
            flat.append(tf.reshape(outputs, [outputs.shape[0], values, -1]))
        predictions[kind] = tf.concat(flat, axis=2)
    logits = tf.identity(predictions["cls"], "py_cls_pred")
    boxes = tf.identity(predictions["loc"], "py_location_pred")
    return (
        tf.transpose(boxes, [0, 2, 1], name="box_encodings"),
        tf.transpose(logits, [0, 2, 1], name="class_logits"),
    )


def seeded_value(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """Returns values of variables with special rules, else None. See `GraphCode.seeded_value`."""
    if "additional_layers/" in name:
        # These layers have biases like outputs, but a rectifier follows.
        return weights.seeded_value(seed, name, shape, output=False)
    if "multibox_head/cls_" not in name:
        return None
    if name.endswith("/kernel"):
        return weights.contrasting_kernel(seed, name, shape, gain=1.0)
    biases = weights.seeded_value(seed, name, shape)
    # The background's biases come first, one per box of a cell.
    biases[: shape[0] // NUM_CLASSES] += _BACKGROUND_BIAS
    return biases


def graph_code() -> program.GraphCode:
    """Returns the graph code for the flags."""

    def build_float(batch: int, height: int, width: int, quantize: bool) -> tf.Graph:
        if quantize:
            raise cli.UserError("--quantize: no quantization-aware SSD-ResNet34 is published.")
        return build(batch, height, width)

    def finish(frozen_graph: tf.GraphDef) -> tf.GraphDef:
        return add_post_processing(
            frozen_graph,
            _SCORE_THRESHOLD.value,
            _IOU_THRESHOLD.value,
            _MAX_DETECTIONS.value,
            _USE_REGULAR_NMS.value,
        )

    return program.GraphCode(
        source="SSD-ResNet34",
        build=build_float,
        input=INPUT,
        outputs=(BOX_ENCODINGS, CLASS_LOGITS, *_POST_PROCESSING_INPUTS),
        finish=finish,
        height=default_boxes.SIZE,
        width=default_boxes.SIZE,
        calibration_size=_CALIBRATION_SIZE,
        seeded_value=seeded_value,
    )


if __name__ == "__main__":
    program.run(graph_code)
