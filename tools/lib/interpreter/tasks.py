"""A model's task, inferred from its inputs and outputs."""

from tools.lib.cli import cli
from tools.lib.tflite_file.model import Model, Operator, Tensor

DETECTION = "detection"
CLASSIFICATION = "classification"
SEGMENTATION = "segmentation"
SUPER_RESOLUTION = "super_resolution"
QUESTION_ANSWERING = "question_answering"
TASKS = (CLASSIFICATION, DETECTION, QUESTION_ANSWERING, SEGMENTATION, SUPER_RESOLUTION)

POST_PROCESS = "TFLite_Detection_PostProcess"


def post_processing(model: Model) -> Operator | None:
    """Returns a model's operator that decodes boxes into detections; None without one."""
    for operator in model.subgraphs[0].operators:
        if operator.name == POST_PROCESS:
            return operator
    return None


def _is_picture(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[3] == 3


def _of_one_output(source: Tensor, output: Tensor) -> str | None:
    shape = output.shape
    if _is_picture(output) and (shape[1] > source.shape[1] or -1 in output.shape_signature[1:3]):
        return SUPER_RESOLUTION
    if len(shape) == 3 or len(shape) == 4 and min(shape[1:3]) > 1:
        return SEGMENTATION
    # [1, classes] or [1, 1, 1, classes].
    if len(shape) in (2, 4) and shape[-1] > 1:
        return CLASSIFICATION
    return None


def of(model: Model, source: str) -> str:
    """Returns a model's task, one of `TASKS`.

    Args:
      model: a model with at least one subgraph.
      source: its name, for messages.

    Raises:
      cli.UserError: the task cannot be inferred, or the model gives boxes encoded against anchors
        that are not in it.
    """
    graph = model.subgraphs[0]
    inputs = [graph.tensors[index] for index in graph.inputs]
    outputs = [graph.tensors[index] for index in graph.outputs]
    if post_processing(model):
        return DETECTION
    if len(inputs) == 3 and len(outputs) == 2 and all(len(x.shape) == 2 for x in inputs + outputs):
        return QUESTION_ANSWERING
    if len(inputs) == 1 and _is_picture(inputs[0]):
        if len(outputs) == 1:
            task = _of_one_output(inputs[0], outputs[0])
            if task:
                return task
        if any(len(x.shape) in (3, 4) and x.shape[-1] == 4 for x in outputs):
            raise cli.UserError(
                f"{source}: gives encoded boxes without their anchors; give a model that ends with"
                f" {POST_PROCESS}."
            )
    shapes = ", ".join(str(list(x.shape)) for x in outputs)
    raise cli.UserError(
        f"{source}: the model's task cannot be inferred from its outputs ({shapes}); give --task."
    )


def class_count(task: str, model: Model) -> int:
    """Returns how many classes a model distinguishes; 0 if the model does not show it."""
    graph = model.subgraphs[0]
    if task == DETECTION:
        operator = post_processing(model)
        options = operator.decoded_custom_options if operator else None
        return int(options.get("num_classes", 0)) if isinstance(options, dict) else 0
    output = graph.tensors[graph.outputs[0]]
    if not output.shape:
        return 0
    if task == CLASSIFICATION:
        return output.shape[-1]
    arg_max = [operator for operator in graph.operators if operator.name == "ARG_MAX"]
    if arg_max:
        return graph.tensors[arg_max[-1].inputs[0]].shape[-1]
    return output.shape[-1] if len(output.shape) == 4 else 0
