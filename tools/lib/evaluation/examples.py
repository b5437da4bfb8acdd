"""A classifier's accuracy on labelled examples, whatever they are: the arrays of an .npz."""

from collections.abc import Iterable, Sequence

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import evaluation
from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.litert import samples
from reproducible_tflite.lib.values import arrays

_LABELS = "labels"
# A number beyond int64 would become another class.
_CLASSES = 2**31


def read(path: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Reads labelled examples.

    Args:
      path: an .npz with an array [samples, ...] for each input, and the class of each sample,
        counted from 0, in the array `labels`.

    Returns:
      The inputs' arrays by name, and the classes, int64 [samples].

    Raises:
      cli.UserError: it cannot be read, or has no classes.
    """
    stored = dict(arrays.read(path, "labelled examples"))
    names = ", ".join(sorted(stored))
    labels = stored.pop(_LABELS, None)
    if labels is None or not stored:
        raise cli.UserError(
            f"{path}: has {names or 'no arrays'}; give an array for each input, and the class of"
            f" each sample, counted from 0, as {_LABELS}."
        )
    count = arrays.count(path, [labels, *stored.values()])
    numeric = labels.dtype.kind in "iuf" and labels.shape == (count,)
    if (
        not numeric
        or not ((labels >= 0) & (labels < _CLASSES) & (labels == np.floor(labels))).all()
    ):
        raise cli.UserError(
            f"{path}: {_LABELS}, {labels.dtype} {list(labels.shape)}, must have one whole number"
            " for each sample: its class, counted from 0."
        )
    return stored, labels.astype(np.int64)


def classes(interpreter: Interpreter, inputs: Iterable[Sequence[np.ndarray]]) -> np.ndarray:
    """Returns the class that a model finds in each sample, int64 [samples].

    Args:
      interpreter: the model, whose only output is a row of scores.
      inputs: samples of real numbers, an array for each input.
    """
    found = []
    for values in inputs:
        ports = zip(interpreter.inputs, values, strict=True)
        [scores] = interpreter.run([port.stored(value) for port, value in ports])
        found.append(int(scores.argmax()))
    return np.array(found)


def evaluate(
    interpreter: Interpreter, preprocessing: str, path: str, limit: int | None
) -> evaluation.Evaluation:
    """Returns a classifier's accuracy on the first `limit` examples.

    Args:
      interpreter: the model.
      preprocessing: of pixels, see `samples.of`.
      path: see `read`; of a model with one input, its array may have any name.
      limit: how many examples; None for all.

    Raises:
      cli.UserError: they are for another model.
    """
    stored, labels = read(path)
    if len(stored) == len(interpreter.inputs) == 1:
        stored = {interpreter.inputs[0].name: next(iter(stored.values()))}
    stored = {name: array[:limit] for name, array in stored.items()}
    outputs = interpreter.outputs
    if len(outputs) != 1 or not tasks.is_row(outputs[0]) or labels.max() >= outputs[0].shape[-1]:
        shapes = ", ".join(str(list(port.shape)) for port in outputs)
        raise cli.UserError(
            f"{interpreter.source}: gives {shapes}, but the classes 0 to {labels.max()} of {path}"
            " need one row with a score for each; give another model or other examples."
        )
    found = classes(interpreter, samples.of_arrays(interpreter, stored, path, preprocessing))
    right = found == labels[:limit]
    return evaluation.Evaluation({"top-1 accuracy": float(right.mean())}, len(found))
