"""Mean intersection over union on ADE20K, of as many classes as a model tells apart."""

import os

import numpy as np
from PIL import Image

from tools.evaluate import measured, metrics
from tools.lib.cli import cli
from tools.lib.interpreter.vision import Segmenter
from tools.lib.preprocessing import pictures


def pairs(folder: str) -> list[tuple[str, str]]:
    """Returns the pictures of a set with their annotations, NAME.jpg and NAME.png.

    Args:
      folder: has `images` and `annotations`, either with a subfolder `validation` or without.

    Raises:
      cli.UserError: a folder is missing, or pictures have no annotations.
    """
    found = {}
    for name in ("images", "annotations"):
        places = [os.path.join(folder, name, "validation"), os.path.join(folder, name)]
        place = next((place for place in places if os.path.isdir(place)), None)
        if place is None:
            raise cli.UserError(f"{folder}: has no folder {name}; see tools/evaluate/README.md.")
        found[name] = place
    images = pictures.listed([found["images"]])
    made = []
    for image in images:
        stem = os.path.splitext(os.path.basename(image))[0]
        annotation = os.path.join(found["annotations"], stem + ".png")
        if not os.path.isfile(annotation):
            raise cli.UserError(f"{annotation}: is missing, so {stem} cannot be measured.")
        made.append((image, annotation))
    return made


def read_truth(path: str) -> np.ndarray:
    """Reads an annotation: uint8 [height, width], a class of ADE20K's 150 or 0.

    Raises:
      cli.UserError: it is no picture of one channel.
    """
    # Through the reader of pictures first, which refuses what is damaged or too large.
    pictures.read(path)
    with Image.open(path) as image:
        if image.mode not in ("L", "P", "1", "I;16", "I"):
            raise cli.UserError(f"{path}: is a picture in {image.mode}, not classes of pixels.")
        return np.asarray(image).astype(np.uint8)


def evaluate(
    segmenter: Segmenter, folder: str, limit: int | None, classes: int
) -> measured.Measured:
    """Returns a segmenter's mean IoU on the first `limit` pictures of a set.

    Args:
      segmenter: the model; its class 0 is "other", its class n is ADE20K's n.
      folder: as `pairs` takes it.
      limit: how many pictures; None for all.
      classes: how many classes the model has besides class 0.
    """
    chosen = pairs(folder)[:limit]
    counts = np.zeros((classes, 3), np.int64)
    for image, annotation in measured.progress(chosen, len(chosen), "picture"):
        truth = read_truth(annotation)
        seen = segmenter.segment(pictures.read(image))
        if seen.shape != truth.shape:
            raise cli.UserError(
                f"{annotation}: has {truth.shape[1]}x{truth.shape[0]} pixels, its picture"
                f" {seen.shape[1]}x{seen.shape[0]}."
            )
        counts += metrics.intersections(seen, truth, classes)
    occurring = int((counts.sum(axis=1) > 0).sum())
    return measured.Measured(
        {
            "mean IoU": metrics.mean_iou(counts),
            "pixels right": float(counts[:, 0].sum() / max(1, counts[:, [0, 2]].sum())),
        },
        len(chosen),
        (f"over {occurring} of {classes} classes, which occur",),
    )
