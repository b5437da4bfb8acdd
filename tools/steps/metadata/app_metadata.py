"""Metadata of a .tflite as MediaPipe's tasks and Android's Task Library read it.

The forms are those of tflite-support's own writers. Only the description of a detector's outputs
follows the post-processing operator, where they sort the outputs by their tensors' numbers.
"""

import dataclasses
from collections.abc import Callable, Sequence

import flatbuffers
import numpy as np
from tensorflow_lite_support.metadata import metadata_schema_py_generated as schema
from tensorflow_lite_support.metadata.python.metadata_writers import metadata_info

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.tflite_file.model import Model, Operator, Tensor
from reproducible_tflite.lib.tflite_file.schema import tflite

CLASSIFICATION, DETECTION, SEGMENTATION = "classification", "object detection", "segmentation"
# The tasks whose outputs have names of classes, and scores.
LABELLED = (CLASSIFICATION, DETECTION, SEGMENTATION)
SCORED = (CLASSIFICATION, DETECTION)

# The file with the names of classes.
LABELS = "labels.txt"

_IDENTIFIER = b"M001"
# The oldest readers, by the history in tflite-support's metadata_schema.fbs: groups are from 1.2.0.
_PARSER, _PARSER_OF_GROUPS = "1.0.0", "1.2.0"

_POST_PROCESS = "TFLite_Detection_PostProcess"
# The outputs of that operator, by its ports. The task libraries find them by these names.
_LOCATION, _CATEGORY, _SCORE, _COUNT = "location", "category", "score", "number of detections"
_GROUP = "detection_result"
# Left, top, right and bottom among the stored top, left, bottom and right.
_SIDES = (1, 0, 3, 2)
# A stored uint8 may differ from its pixel by so much.
_ROUNDING = 2.0


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a file by itself does not say.

    Attributes:
      name: the model's name.
      about: a sentence about it; may be empty.
      task: one of the tasks of `tflite_model`.
      preprocessing: a key of PREPROCESSINGS; empty if it is not known.
      labels: the names of the classes, class 0 first; empty if they are not known.
      score_threshold: the least score that counts, 0 to 1; None without one.
    """

    name: str
    about: str
    task: str
    preprocessing: str
    labels: Sequence[str]
    score_threshold: float | None


def _is_picture(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[3] == 3


def _check_pixels(tensor: Tensor, mean: np.ndarray, deviation: np.ndarray) -> None:
    """Refuses a uint8 input whose numbers are no pixels: apps hand pixels over as they are."""
    scale, zero_point = tensor.scaling
    if tensor.dtype != "UINT8" or not scale:
        return
    pixels = np.arange(256.0)[:, None]
    stored = np.clip((pixels - mean) / deviation / scale + zero_point, 0, 255)
    error = np.abs(stored - pixels).max()
    if error > _ROUNDING:
        raise cli.UserError(
            f"the input {tensor.name!r} stores a pixel up to {error:.0f} off in uint8, but apps "
            "give it pixels as they are; leave out metadata, or state the preprocessing that fits."
        )


def _input(tensor: Tensor, facts: Facts) -> schema.TensorMetadataT:
    if facts.preprocessing not in normalization.NORMALIZATIONS or not _is_picture(tensor):
        return _plain(tensor.name, "An input.").create_metadata()
    mean, deviation = normalization.NORMALIZATIONS[facts.preprocessing]
    _check_pixels(tensor, mean, deviation)
    # One number for all channels if they have the same.
    width = max(np.size(mean), np.size(deviation))
    return metadata_info.InputImageTensorMd(
        name="image",
        description=f"A picture in RGB. {normalization.MEANINGS[facts.preprocessing]}",
        norm_mean=np.broadcast_to(mean, width).tolist(),
        norm_std=np.broadcast_to(deviation, width).tolist(),
        color_space_type=schema.ColorSpaceType.RGB,
        tensor_type=getattr(tflite.TensorType, tensor.dtype, None),
    ).create_metadata()


def _plain(name: str, description: str) -> metadata_info.TensorMd:
    return metadata_info.TensorMd(name=name, description=description)


def _labels(facts: Facts, by_value: bool) -> list[metadata_info.AssociatedFileMd]:
    if not facts.labels:
        return []
    kinds = schema.AssociatedFileType
    kind = kinds.TENSOR_VALUE_LABELS if by_value else kinds.TENSOR_AXIS_LABELS
    description = "The names of the classes."
    return [metadata_info.AssociatedFileMd(LABELS, description, kind)]


def _with_threshold(tensor: schema.TensorMetadataT, facts: Facts) -> schema.TensorMetadataT:
    if facts.score_threshold is not None:
        unit = schema.ProcessUnitT()
        unit.optionsType = schema.ProcessUnitOptions.ScoreThresholdingOptions
        unit.options = schema.ScoreThresholdingOptionsT()
        unit.options.globalScoreThreshold = facts.score_threshold
        tensor.processUnits = [*(tensor.processUnits or []), unit]
    return tensor


def _check_count(facts: Facts, classes: int) -> None:
    if facts.labels and classes and len(facts.labels) != classes:
        raise cli.UserError(
            f"there are {len(facts.labels)} labels, but the model has {classes} classes; give one "
            "line for each class, the background's too if the model has one."
        )


def _classifier(tensor: Tensor, facts: Facts) -> schema.TensorMetadataT:
    _check_count(facts, tensor.shape[-1] if tensor.shape else 0)
    written = metadata_info.ClassificationTensorMd(
        name="probability",
        description="The score of each class.",
        label_files=_labels(facts, by_value=False),
        tensor_type=getattr(tflite.TensorType, tensor.dtype, None),
    ).create_metadata()
    return _with_threshold(written, facts)


def _segmenter(tensor: Tensor, facts: Facts) -> schema.TensorMetadataT:
    # Scores of each class, or a class for each pixel.
    has_scores = len(tensor.shape) == 4 and tensor.shape[3] > 1
    if has_scores:
        _check_count(facts, tensor.shape[3])
    return metadata_info.TensorMd(
        name="segmentation_masks",
        description="The score of each class." if has_scores else "Each pixel's class.",
        associated_files=_labels(facts, by_value=not has_scores),
    ).create_metadata()


def _for_each(tensor: schema.TensorMetadataT) -> schema.TensorMetadataT:
    """States that a tensor's second axis goes over detections."""
    tensor.content.range = schema.ValueRangeT()
    tensor.content.range.min = tensor.content.range.max = 2
    return tensor


def _location(facts: Facts) -> schema.TensorMetadataT:
    del facts
    kinds = schema.ContentProperties
    written = metadata_info.TensorMd(
        _LOCATION, "The boxes, relative to the picture.", content_type=kinds.BoundingBoxProperties
    ).create_metadata()
    box = written.content.contentProperties
    box.index, box.type = list(_SIDES), schema.BoundingBoxType.BOUNDARIES
    box.coordinateType = schema.CoordinateType.RATIO
    return _for_each(written)


def _category(facts: Facts) -> schema.TensorMetadataT:
    files = _labels(facts, by_value=True)
    written = metadata_info.TensorMd(_CATEGORY, "The boxes' classes.", associated_files=files)
    return _for_each(written.create_metadata())


def _score(facts: Facts) -> schema.TensorMetadataT:
    written = metadata_info.ClassificationTensorMd(_SCORE, "The boxes' scores.")
    return _with_threshold(_for_each(written.create_metadata()), facts)


def _count(facts: Facts) -> schema.TensorMetadataT:
    del facts
    return _plain(_COUNT, "How many boxes there are.").create_metadata()


_PORTS: Sequence[Callable[[Facts], schema.TensorMetadataT]] = (
    _location,
    _category,
    _score,
    _count,
)


def _detector(
    post_process: Operator, outputs: Sequence[int], facts: Facts
) -> list[schema.TensorMetadataT]:
    options = post_process.decoded_custom_options
    classes = options.get("num_classes", 0) if isinstance(options, dict) else 0
    _check_count(facts, classes)
    ports = dict(zip(post_process.outputs, _PORTS, strict=False))
    if sorted(outputs) != sorted(ports):
        raise cli.UserError(
            f"the model's outputs are not the {len(_PORTS)} of {_POST_PROCESS}; leave out metadata."
        )
    return [ports[index](facts) for index in outputs]


def document(model: Model, facts: Facts) -> bytes:
    """Returns the metadata as a flatbuffer.

    Args:
      model: the .tflite, which has at least one subgraph.
      facts: what it does not say by itself.

    Raises:
      cli.UserError: what apps would read does not hold for the model; names no file.
    """
    graph = model.subgraphs[0]
    outputs = [graph.tensors[index] for index in graph.outputs]
    detectors = [operator for operator in graph.operators if operator.name == _POST_PROCESS]
    written = schema.SubGraphMetadataT()
    written.inputTensorMetadata = [_input(graph.tensors[index], facts) for index in graph.inputs]
    if facts.task == CLASSIFICATION and len(outputs) == 1:
        written.outputTensorMetadata = [_classifier(outputs[0], facts)]
    elif facts.task == SEGMENTATION and len(outputs) == 1:
        written.outputTensorMetadata = [_segmenter(outputs[0], facts)]
    elif facts.task == DETECTION and detectors:
        written.outputTensorMetadata = _detector(detectors[0], graph.outputs, facts)
        group = schema.TensorGroupT()
        group.name, group.tensorNames = _GROUP, [_LOCATION, _CATEGORY, _SCORE]
        written.outputTensorGroups = [group]
    elif facts.labels or facts.score_threshold is not None:
        raise cli.UserError(
            f"the outputs are not those of {facts.task} in one tensor or of {_POST_PROCESS}, so "
            "apps find no classes in them; leave out labels and score_threshold."
        )
    else:
        written.outputTensorMetadata = [
            _plain(tensor.name, "An output.").create_metadata() for tensor in outputs
        ]
    sentences = [text for text in (facts.about, model.description) if text]
    whole = metadata_info.GeneralMd(name=facts.name, description=" ".join(sentences))
    described = whole.create_metadata()
    described.subgraphMetadata = [written]
    described.minParserVersion = _PARSER_OF_GROUPS if written.outputTensorGroups else _PARSER
    builder = flatbuffers.Builder(0)
    builder.Finish(described.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())
