"""Presents the results of a picture model as a drawing and as numbers."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from reproducible_tflite.detect import drawing, labels
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import tasks, vision
from reproducible_tflite.lib.interpreter.interpreter import Interpreter


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much is shown.

    Attributes:
      score: minimum score of a detection, from 0 to 1.
      boxes: maximum number of detections.
      classes: maximum number of a classifier's classes.
    """

    score: float
    boxes: int
    classes: int


@dataclasses.dataclass(frozen=True, eq=False)
class Presentation:
    """A model's results for one picture.

    Attributes:
      image: the results drawn on the picture.
      facts: the results as JSON values.
    """

    image: Image.Image
    facts: Mapping[str, Any]


Presenter = Callable[[Image.Image], Presentation]


def _detections(
    model: vision.Detector, names: Sequence[str], limits: Limits, image: Image.Image
) -> Presentation:
    detections = [x for x in model.detect(image) if x.score >= limits.score][: limits.boxes]
    facts = [
        {
            "class": labels.name(names, detection.label),
            "label": detection.label,
            "score": detection.score,
            "box": drawing.pixels(detection.box, *image.size),
        }
        for detection in detections
    ]
    return Presentation(drawing.boxes(image, detections, names), {"detections": facts})


def _classes(
    model: vision.Classifier, names: Sequence[str], limits: Limits, image: Image.Image
) -> Presentation:
    probabilities = model.probabilities(image)
    order = np.argsort(-probabilities, kind="stable")[: limits.classes]
    ranked = [(int(label), float(probabilities[label])) for label in order]
    facts = [
        {"class": labels.name(names, label), "label": label, "probability": probability}
        for label, probability in ranked
    ]
    return Presentation(drawing.ranking(image, ranked, names), {"classes": facts})


def _segments(model: vision.Segmenter, names: Sequence[str], image: Image.Image) -> Presentation:
    segmented = model.segment(image)
    facts = [
        {"class": labels.name(names, label), "label": label, "part": part}
        for label, part in drawing.shares(segmented)
    ]
    return Presentation(drawing.overlay(image, segmented, names), {"segments": facts})


def _enlarged(model: vision.Enlarger, image: Image.Image) -> Presentation:
    large = model.enlarge(image)
    return Presentation(large, {"from": image.size, "to": large.size})


def presenter(
    task: str,
    interpreter: Interpreter,
    preprocessing: str,
    names: Sequence[str],
    limits: Limits,
) -> Presenter:
    """Returns a function that runs a model on a picture and presents the results.

    Args:
      task: the model's task, one of `tasks.TASKS`.
      interpreter: the model.
      preprocessing: how its pixels are normalized.
      names: the names of its classes.
      limits: how much is shown.

    Raises:
      cli.UserError: the model does not fit the task.
    """
    if task == tasks.DETECTION:
        detector = vision.Detector(interpreter, preprocessing)
        return lambda image: _detections(detector, names, limits, image)
    if task == tasks.CLASSIFICATION:
        classifier = vision.Classifier(interpreter, preprocessing)
        return lambda image: _classes(classifier, names, limits, image)
    if task == tasks.SEGMENTATION:
        segmenter = vision.Segmenter(interpreter, preprocessing)
        return lambda image: _segments(segmenter, names, image)
    if task == tasks.SUPER_RESOLUTION:
        enlarger = vision.Enlarger(interpreter, preprocessing)
        return lambda image: _enlarged(enlarger, image)
    raise cli.UserError(f"{interpreter.source}: {task} cannot be drawn.")


def summary(task: str, facts: Mapping[str, Any]) -> str:
    """Returns a model's results for one picture in one line."""
    if task == tasks.DETECTION:
        texts = [f"{x['class']} {x['score']:.0%}" for x in facts["detections"]]
        return ", ".join(texts) or "nothing above the threshold"
    if task == tasks.CLASSIFICATION:
        return ", ".join(f"{x['class']} {x['probability']:.1%}" for x in facts["classes"])
    if task == tasks.SEGMENTATION:
        return ", ".join(f"{x['class']} {x['part']:.0%}" for x in facts["segments"][:6])
    return "{}x{} to {}x{}".format(*facts["from"], *facts["to"])
