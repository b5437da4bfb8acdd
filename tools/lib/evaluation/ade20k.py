"""Mean intersection over union (IoU) on ADE20K, over the classes of the model."""

import os

import numpy as np
from PIL import Image

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import evaluation, metrics
from reproducible_tflite.lib.interpreter.vision import Segmenter
from reproducible_tflite.lib.preprocessing import pictures


def pairs(folder: str) -> list[tuple[str, str]]:
    """Returns the pictures of a set with their annotations, NAME.jpg and NAME.png.

    Args:
      folder: contains `images` and `annotations`, with or without a subfolder `validation`.

    Raises:
      cli.UserError: a folder is missing, or pictures have no annotations.
    """
    folders = {}
    for name in ("images", "annotations"):
        places = [os.path.join(folder, name, "validation"), os.path.join(folder, name)]
        place = next((place for place in places if os.path.isdir(place)), None)
        if place is None:
            raise cli.UserError(f"{folder}: has no folder {name}; see tools/evaluate/README.md.")
        folders[name] = place
    annotated = []
    for image in pictures.listed([folders["images"]]):
        stem = os.path.splitext(os.path.basename(image))[0]
        annotation = os.path.join(folders["annotations"], stem + ".png")
        if not os.path.isfile(annotation):
            raise cli.UserError(f"{annotation}: is missing, so {stem} cannot be measured.")
        annotated.append((image, annotation))
    return annotated


def read_truth(path: str) -> np.ndarray:
    """Reads an annotation: uint8 [height, width], one of ADE20K's classes 1 to 150, or 0.

    Raises:
      cli.UserError: it cannot be read, or has several channels.
    """
    # This reader refuses damaged and too large pictures.
    pictures.read(path)
    with Image.open(path) as image:
        if image.mode not in ("L", "P", "1", "I;16", "I"):
            raise cli.UserError(f"{path}: is a picture in {image.mode}, not a map of classes.")
        # A class that ADE20K does not have is no less unknown as 255.
        return np.clip(np.asarray(image), 0, 255).astype(np.uint8)


def evaluate(
    segmenter: Segmenter, folder: str, classes: int, limit: int | None
) -> evaluation.Evaluation:
    """Returns a segmenter's mean IoU on the first `limit` pictures of a set.

    Args:
      segmenter: the model; its class 0 is "other", its class n is ADE20K's n.
      folder: as for `pairs`.
      classes: how many classes the model has besides class 0.
      limit: how many pictures; None for all.
    """
    chosen = pairs(folder)[:limit]
    counts = np.zeros((classes, 3), np.int64)
    for image, annotation in evaluation.progress(chosen, len(chosen), "picture"):
        truth = read_truth(annotation)
        predicted = segmenter.segment(pictures.read(image))
        if predicted.shape != truth.shape:
            raise cli.UserError(
                f"{annotation}: has {truth.shape[1]}x{truth.shape[0]} pixels, but its picture has"
                f" {predicted.shape[1]}x{predicted.shape[0]}."
            )
        counts += metrics.intersections(predicted, truth, classes)
    occurring = int((counts.sum(axis=1) > 0).sum())
    return evaluation.Evaluation(
        {
            "mean IoU": metrics.mean_iou(counts),
            "pixels right": float(counts[:, 0].sum() / max(1, counts[:, [0, 2]].sum())),
        },
        len(chosen),
        (f"over the {occurring} of {classes} classes that occur",),
    )
