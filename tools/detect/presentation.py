"""What models of pictures say, drawn and in numbers, one function for each kind of model."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from tools.detect import drawing, labels
from tools.lib.cli import cli
from tools.lib.interpreter import tasks, vision
from tools.lib.interpreter.interpreter import Interpreter


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is left out.

    Attributes:
      score: detections that score less.
      boxes: detections beyond so many.
      classes: classes of a classifier beyond so many.
    """

    score: float
    boxes: int
    classes: int


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """A drawn picture, and the same in numbers, fit for JSON."""

    image: Image.Image
    facts: Mapping[str, Any]


Shower = Callable[[Image.Image], Shown]


def _detections(
    model: vision.Detector, names: Sequence[str], limits: Limits, image: Image.Image
) -> Shown:
    found = [x for x in model.detect(image) if x.score >= limits.score][: limits.boxes]
    facts = [
        {
            "class": labels.name(names, detection.label),
            "label": detection.label,
            "score": detection.score,
            "box": drawing.pixels(detection.box, *image.size),
        }
        for detection in found
    ]
    return Shown(drawing.boxes(image, found, names), {"detections": facts})


def _classes(
    model: vision.Classifier, names: Sequence[str], limits: Limits, image: Image.Image
) -> Shown:
    probabilities = model.probabilities(image)
    order = np.argsort(-probabilities, kind="stable")[: limits.classes]
    ranked = [(int(label), float(probabilities[label])) for label in order]
    facts = [
        {"class": labels.name(names, label), "label": label, "probability": probability}
        for label, probability in ranked
    ]
    return Shown(drawing.ranking(image, ranked, names), {"classes": facts})


def _segments(model: vision.Segmenter, names: Sequence[str], image: Image.Image) -> Shown:
    segmented = model.segment(image)
    facts = [
        {"class": labels.name(names, label), "label": label, "part": part}
        for label, part in drawing.shares(segmented)
    ]
    return Shown(drawing.overlay(image, segmented, names), {"segments": facts})


def _enlarged(model: vision.Enlarger, image: Image.Image) -> Shown:
    large = model.enlarge(image)
    return Shown(large, {"from": image.size, "to": large.size})


def shower(
    task: str,
    interpreter: Interpreter,
    preprocessing: str,
    names: Sequence[str],
    limits: Limits,
) -> Shower:
    """Returns what shows a picture to a model.

    Args:
      task: what the model is for, one of `tasks.TASKS`.
      interpreter: the model.
      preprocessing: what is done to its pixels.
      names: what its classes are called.
      limits: what is left out.

    Raises:
      cli.UserError: the model is not of that kind.
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
    raise cli.UserError(f"{interpreter.source}: {task} is nothing that can be drawn.")


def words(task: str, facts: Mapping[str, Any]) -> str:
    """Returns in one line what a model says of a picture."""
    if task == tasks.DETECTION:
        found = [f"{x['class']} {x['score']:.0%}" for x in facts["detections"]]
        return ", ".join(found) or "nothing above the threshold"
    if task == tasks.CLASSIFICATION:
        return ", ".join(f"{x['class']} {x['probability']:.1%}" for x in facts["classes"])
    if task == tasks.SEGMENTATION:
        return ", ".join(f"{x['class']} {x['part']:.0%}" for x in facts["segments"][:6])
    return "{}x{} to {}x{}".format(*facts["from"], *facts["to"])
