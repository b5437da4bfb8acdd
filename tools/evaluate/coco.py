"""COCO's mean average precision of a detector, by pycocotools."""

import contextlib
import glob
import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import coco, cocoeval

from tools.evaluate import measured
from tools.lib.cli import cli
from tools.lib.interpreter.vision import Detection, Detector
from tools.lib.preprocessing import pictures

# COCOeval.stats in its order.
METRICS = (
    "mAP",
    "AP at IoU 0.50",
    "AP at IoU 0.75",
    "mAP small",
    "mAP medium",
    "mAP large",
    "AR of 1",
    "AR of 10",
    "AR of 100",
    "AR small",
    "AR medium",
    "AR large",
)
_FOLDERS = ("", "val2017", "images", "val2014")


def annotations(folder: str) -> dict[str, Any]:
    """Reads the instances of a set.

    Args:
      folder: has one instances*.json, or has it in `annotations`.

    Raises:
      cli.UserError: there is none or several, or it is no COCO file.
    """
    found = []
    for inside in ("", "annotations"):
        found += sorted(glob.glob(os.path.join(glob.escape(folder), inside, "instances*.json")))
    if len(found) != 1:
        names = f": {', '.join(map(os.path.basename, found))}" if found else ""
        raise cli.UserError(
            f"{folder}: has {len(found)} files instances*.json{names}; one is needed, there or in"
            " annotations/."
        )
    content = measured.read_json(found[0], "COCO annotations")
    try:
        for image in content["images"]:
            if not isinstance(image["file_name"], str):
                raise TypeError("file_name is no text")
            _ = int(image["id"]), int(image["height"]), int(image["width"])
        for row in content["annotations"]:
            _ = int(row["image_id"]), int(row["category_id"]), float(row["area"])
            _ = row["id"], row["iscrowd"], [float(x) for x in row["bbox"]][3]
        _ = [(int(category["id"]), category["name"]) for category in content["categories"]]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise cli.UserError(
            f"{found[0]}: has no COCO instances: {type(error).__name__} {cli.first_line(error)}."
        ) from error
    if not content["images"] or not content["annotations"]:
        raise cli.UserError(f"{found[0]}: has no images or no annotations.")
    return content


def picture_paths(folder: str, images: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns where the pictures of a set are.

    Raises:
      cli.UserError: some are missing.
    """
    paths, missing = [], []
    for image in images:
        # A name is not to lead out of the folder.
        name = os.path.basename(image["file_name"])
        candidates = [os.path.join(folder, inside, name) for inside in _FOLDERS]
        found = [path for path in candidates if os.path.isfile(path)]
        paths += found[:1]
        missing += [] if found else [name]
    if missing:
        raise cli.UserError(
            f"{folder}: {len(missing)} of {len(images)} pictures are missing, the first is"
            f" {missing[0]}; put them there or into val2017/, or use --limit."
        )
    return paths


def category_ids(content: Mapping[str, Any], classes: int, source: str) -> list[int]:
    """Returns COCO's category of each of a model's classes.

    Args:
      content: the annotations.
      classes: how many the model has: 90, which are numbered as COCO's with their gaps, or as many
        as the set has.
      source: the model, for messages.
    """
    ids = sorted(category["id"] for category in content["categories"])
    if classes == 90:
        return list(range(1, 91))
    if classes == len(ids):
        return ids
    raise cli.UserError(
        f"{source}: tells {classes} classes apart, COCO has 90 numbers for {len(ids)} categories;"
        " give a detector that was trained on COCO."
    )


def results(
    image: Mapping[str, Any], found: Sequence[Detection], categories: Sequence[int]
) -> list[dict[str, Any]]:
    """Returns detections as COCO's result rows, clipped to the picture."""
    rows = []
    for detection in found:
        top, left, bottom, right = (min(1.0, max(0.0, part)) for part in detection.box)
        if not 0 <= detection.label < len(categories):
            continue
        rows.append(
            {
                "image_id": image["id"],
                "category_id": categories[detection.label],
                "bbox": [
                    left * image["width"],
                    top * image["height"],
                    max(0.0, right - left) * image["width"],
                    max(0.0, bottom - top) * image["height"],
                ],
                "score": detection.score,
            }
        )
    return rows


def average_precision(
    content: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], image_ids: Sequence[int]
) -> dict[str, float]:
    """Returns COCO's twelve metrics of boxes.

    Args:
      content: the annotations.
      rows: what `results` gave.
      image_ids: the pictures that were looked at.
    """
    if not rows:
        return dict.fromkeys(METRICS, 0.0)
    # pycocotools tells its steps on stdout, where a person may want JSON.
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = dict(content)
        truth.createIndex()
        # It writes into the rows that it is given.
        evaluation = cocoeval.COCOeval(truth, truth.loadRes([dict(row) for row in rows]), "bbox")
        evaluation.params.imgIds = list(image_ids)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(METRICS, map(float, np.asarray(evaluation.stats)), strict=True))


def detect(
    detector: Detector, folder: str, limit: int | None
) -> tuple[dict[str, Any], list[int], list[dict[str, Any]]]:
    """Runs a detector on a set.

    Returns:
      The annotations, the numbers of the pictures, and the rows of what was found.
    """
    content = annotations(folder)
    images = sorted(content["images"], key=lambda image: image["id"])[:limit]
    paths = picture_paths(folder, images)
    categories = category_ids(content, detector.classes, detector.interpreter.source)
    rows = []
    pairs = zip(images, paths, strict=True)
    for image, path in measured.progress(pairs, len(images), "picture"):
        rows += results(image, detector.detect(pictures.read(path)), categories)
    return content, [image["id"] for image in images], rows


def evaluate(detector: Detector, folder: str, limit: int | None) -> measured.Measured:
    """Returns COCO's metrics of a detector on the first `limit` pictures of a set."""
    content, image_ids, rows = detect(detector, folder, limit)
    metrics = average_precision(content, rows, image_ids)
    truths = sum(row["image_id"] in set(image_ids) for row in content["annotations"])
    metrics["detections per picture"] = len(rows) / len(image_ids)
    options = detector.options
    return measured.Measured(
        metrics,
        len(image_ids),
        (
            f"{truths} annotated objects; score threshold"
            f" {options.get('nms_score_threshold', 0):.3g}, IoU threshold"
            f" {options.get('nms_iou_threshold', 0):.3g}, at most"
            f" {options.get('max_detections', 0)} detections a picture",
        ),
    )
