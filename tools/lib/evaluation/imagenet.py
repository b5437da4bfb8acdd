"""A classifier's top-1 and top-5 accuracy on ImageNet."""

import os

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import evaluation, metrics
from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.interpreter.vision import Classifier
from reproducible_tflite.lib.preprocessing import pictures

_TRUTHS = ("val_map.txt", "val.txt", "labels.txt", "imagenet_val.txt")
_CLASSES = 1000


def truths(folder: str) -> dict[str, int]:
    """Reads the true class of each picture, by the picture's name.

    Args:
      folder: contains one of `_TRUTHS`, with a picture's name and its class, 0 to 999, per line.

    Raises:
      cli.UserError: there is no such file, or a line has another form.
    """
    lists = [name for name in _TRUTHS if os.path.isfile(os.path.join(folder, name))]
    if not lists:
        raise cli.UserError(
            f"{folder}: has none of {', '.join(_TRUTHS)}; one is needed, with `NAME CLASS` per"
            " line."
        )
    path = os.path.join(folder, lists[0])
    text = cli.read_file(path, "list of classes").decode("utf-8", errors="replace")
    rows = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, _, label = line.strip().rpartition(" ")
        # int() refuses thousands of digits.
        is_class = label.isdecimal() and len(label) < 10 and int(label) < _CLASSES
        if not name or not is_class:
            raise cli.UserError(
                f"{path}:{number}: {line[:60]!r} is not a picture's name and a class from 0 to 999."
            )
        rows[os.path.basename(name.strip())] = int(label)
    if not rows:
        raise cli.UserError(f"{path}: names no picture.")
    return rows


def background(interpreter: Interpreter) -> int:
    """Returns how many classes a model has before ImageNet's first: 0, or 1 for the background.

    Raises:
      cli.UserError: it does not have ImageNet's classes.
    """
    classes = tasks.class_count(tasks.CLASSIFICATION, interpreter)
    if classes not in (_CLASSES, _CLASSES + 1):
        raise cli.UserError(
            f"{interpreter.source}: has {classes} classes, but ImageNet has 1000, or"
            " 1001 with the background."
        )
    return classes - _CLASSES


def evaluate(
    classifier: Classifier, folder: str, before: int, limit: int | None
) -> evaluation.Evaluation:
    """Returns a classifier's accuracy on the first `limit` pictures of a dataset.

    Args:
      classifier: the model.
      folder: as for `truths`.
      before: the result of `background`.
      limit: how many pictures; None for all.
    """
    labels = sorted(truths(folder).items())[:limit]
    right = {1: 0, 5: 0}
    for name, label in evaluation.progress(labels, len(labels), "picture"):
        places = [os.path.join(folder, inside, name) for inside in ("", "images", "val")]
        path = next((place for place in places if os.path.isfile(place)), places[0])
        scores = classifier.probabilities(pictures.read(path))
        for top in right:
            right[top] += metrics.is_among_top(scores, label + before, top)
    return evaluation.Evaluation(
        {f"top-{top} accuracy": count / len(labels) for top, count in right.items()}, len(labels)
    )
