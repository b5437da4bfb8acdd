"""A model's task, inferred from its inputs and outputs."""

import math

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.interpreter.ports import Port
from reproducible_tflite.lib.tflite_file.model import Model, Operator, Tensor

DETECTION = "detection"
CLASSIFICATION = "classification"
SEGMENTATION = "segmentation"
SUPER_RESOLUTION = "super_resolution"
QUESTION_ANSWERING = "question_answering"
TASKS = (CLASSIFICATION, DETECTION, QUESTION_ANSWERING, SEGMENTATION, SUPER_RESOLUTION)

# input_ids, input_mask and segment_ids.
_TOKEN_INPUTS = 3
POST_PROCESS = "TFLite_Detection_PostProcess"
# The inputs of a detector's post-processing that are computed; the third, the anchors, are not.
_POST_PROCESSED = 2

# These move or convert numbers; what makes them comes before.
_MOVES = frozenset({"DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE"})
_PROBABILITIES = frozenset({"LOGISTIC", "SOFTMAX"})
# ImageNet's, without and with a background.
_KNOWN_CLASSES = (1000, 1001)
# A map of classes is at most so much coarser than the picture; a backbone's features are coarser.
_COARSEST = 16


def post_processing(model: Model) -> Operator | None:
    """Returns a model's operator that decodes boxes into detections; None without one."""
    for operator in model.subgraphs[0].operators:
        if operator.name == POST_PROCESS:
            return operator
    return None


def ends(model: Model) -> tuple[Tensor, ...]:
    """Returns the tensors to compare: a model's outputs, or the inputs of its post-processing.

    Detections are sorted by score and cut off, so the smallest difference may swap two of them. The
    encoded boxes and the scores of all anchors have a fixed order.
    """
    graph, operator = model.subgraphs[0], post_processing(model)
    indices = operator.inputs[:_POST_PROCESSED] if operator else graph.outputs
    return tuple(graph.tensors[index] for index in indices)


def gives_probabilities(model: Model) -> bool:
    """Returns whether the first output comes from a softmax or a logistic function."""
    graph = model.subgraphs[0]
    operator = graph.makers.get(graph.outputs[0])
    # A file's operators may form a circle.
    for _ in graph.operators:
        if operator is None or operator.name not in _MOVES or not operator.inputs:
            break
        operator = graph.makers.get(operator.inputs[0])
    return operator is not None and operator.name in _PROBABILITIES


def takes_tokens(model: Model) -> bool:
    """Returns whether a model has the inputs of one that answers questions."""
    graph = model.subgraphs[0]
    inputs = [graph.tensors[index] for index in graph.inputs]
    return len(inputs) == _TOKEN_INPUTS and all(
        tensor.dtype in ("INT32", "INT64") and len(tensor.shape) == 2 for tensor in inputs
    )


def _is_picture(port: Port) -> bool:
    return len(port.shape) == 4 and port.shape[3] == 3 and min(port.shape) > 0


def is_row(port: Port) -> bool:
    """Returns whether an output is one row of numbers: [1, classes] or [1, 1, 1, classes]."""
    return math.prod(port.shape) == (port.shape or (0,))[-1] > 1


def _is_map(source: Port, output: Port) -> bool:
    """Returns whether an output [1, height, width, ...] has the picture's sides, or finer parts."""
    (height, width), (rows, columns) = source.shape[1:3], output.shape[1:3]
    fits = abs(rows / height - columns / width) * min(height, width) <= 1
    return fits and rows * _COARSEST >= height and rows * columns > 1


def _of_one_output(interpreter: Interpreter) -> str | None:
    [source], [output] = interpreter.inputs, interpreter.outputs
    shape = output.shape
    tensor = interpreter.model.subgraphs[0].tensors[output.index]
    if _is_picture(output) and -1 in tensor.shape_signature[1:3]:
        return SUPER_RESOLUTION
    if _is_picture(output) and shape[1:3] != (1, 1):
        factor = shape[1] / source.shape[1]
        enlarged = factor > 1 and factor == shape[2] / source.shape[2]
        return SUPER_RESOLUTION if enlarged else None
    if len(shape) in (3, 4) and _is_map(source, output):
        # Without scores of several classes, only whole numbers are classes.
        if len(shape) == 4 and shape[3] > 1 or output.dtype.kind in "iu" and not output.scale:
            return SEGMENTATION
    if len(shape) in (2, 4) and is_row(output):
        pixels = math.prod(source.shape[1:3])
        if shape[-1] in _KNOWN_CLASSES or (
            shape[-1] != pixels and gives_probabilities(interpreter.model)
        ):
            return CLASSIFICATION
    return None


def of(interpreter: Interpreter) -> str:
    """Returns a model's task, one of `TASKS`.

    Args:
      interpreter: the model. A file may lack shapes that the interpreter knows.

    Raises:
      cli.UserError: the task cannot be inferred, or the model gives boxes encoded against anchors
        that are not in it.
    """
    inputs, outputs = interpreter.inputs, interpreter.outputs
    if post_processing(interpreter.model):
        return DETECTION
    if takes_tokens(interpreter.model) and [len(port.shape) for port in outputs] == [2, 2]:
        return QUESTION_ANSWERING
    if len(inputs) == 1 and _is_picture(inputs[0]):
        if len(outputs) == 1:
            task = _of_one_output(interpreter)
            if task:
                return task
        if any(len(x.shape) in (3, 4) and x.shape[-1] == 4 for x in outputs):
            raise cli.UserError(
                f"{interpreter.source}: gives encoded boxes without their anchors; give a model"
                f" that ends with {POST_PROCESS}."
            )
    shapes = ", ".join(str(list(x.shape)) for x in outputs)
    raise cli.UserError(
        f"{interpreter.source}: the model's task cannot be inferred from its outputs ({shapes});"
        " give --task."
    )


def class_count(task: str, interpreter: Interpreter) -> int:
    """Returns how many classes a model distinguishes; 0 if the model does not show it."""
    graph = interpreter.model.subgraphs[0]
    if task == DETECTION:
        operator = post_processing(interpreter.model)
        return int(numbers(operator).get("num_classes", 0)) if operator else 0
    shape = interpreter.outputs[0].shape
    if task == CLASSIFICATION:
        return math.prod(shape) if shape else 0
    arg_max = [operator for operator in graph.operators if operator.name == "ARG_MAX"]
    if arg_max:
        scores = graph.tensors[arg_max[-1].inputs[0]].shape
        return scores[-1] if scores else 0
    return shape[-1] if len(shape) == 4 else 0


def numbers(operator: Operator) -> dict[str, float]:
    """Returns the finite numbers among an operator's custom options; a file may have anything."""
    options = operator.decoded_custom_options
    return {
        name: value
        for name, value in (options.items() if isinstance(options, dict) else ())
        if isinstance(value, (bool, int, float)) and math.isfinite(value)
    }
