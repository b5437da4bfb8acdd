"""A detector's mean average precision (mAP) on COCO, computed by pycocotools."""

import contextlib
import glob
import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import coco, cocoeval

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import evaluation
from reproducible_tflite.lib.interpreter.vision import Detection, Detector
from reproducible_tflite.lib.preprocessing import pictures

# The names of COCOeval.stats, in its order.
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
# Up to here, a float64 is exact.
_GREATEST = 2**53


def _is_number(value: Any) -> bool:
    # Not NaN either. A bool is no number.
    return type(value) in (int, float) and abs(value) <= _GREATEST


def _is_whole(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))


def _is_flag(value: Any) -> bool:
    return value in (0, 1)


# What is read of the rows of each list in an annotations file.
_FIELDS = {
    "images": {
        "id": _is_whole,
        "file_name": _is_text,
        "height": _is_number,
        "width": _is_number,
    },
    "annotations": {
        "id": _is_whole,
        "image_id": _is_whole,
        "category_id": _is_whole,
        "area": _is_number,
        "bbox": _is_box,
        "iscrowd": _is_flag,
    },
    "categories": {"id": _is_whole, "name": _is_text},
}


def annotations(folder: str) -> dict[str, Any]:
    """Reads a dataset's annotations.

    Args:
      folder: contains one instances*.json, itself or in `annotations`.

    Raises:
      cli.UserError: there is no such file or several, or it is not a COCO file.
    """
    paths = []
    for inside in ("", "annotations"):
        paths += sorted(glob.glob(os.path.join(glob.escape(folder), inside, "instances*.json")))
    if len(paths) != 1:
        names = f": {', '.join(map(os.path.basename, paths))}" if paths else ""
        raise cli.UserError(
            f"{folder}: has {len(paths)} files instances*.json{names}; one is needed, there or in"
            " annotations/."
        )
    [path] = paths
    content = evaluation.read_json(path, "COCO annotations file")
    try:
        for group, fields in _FIELDS.items():
            for row in content[group]:
                for field, fits in fields.items():
                    if not fits(row[field]):
                        raise TypeError(f"{field} of {group} is {repr(row[field])[:60]}")
    except (KeyError, TypeError) as error:
        raise cli.UserError(
            f"{path}: is not a COCO annotations file: {type(error).__name__}"
            f" {cli.first_line(error)}."
        ) from error
    if not content["images"] or not content["annotations"]:
        raise cli.UserError(f"{path}: has no images or no annotations.")
    return content


def picture_paths(folder: str, images: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the paths of a dataset's pictures.

    Args:
      folder: contains the pictures, itself or in one of `_FOLDERS`.
      images: the rows of the annotations.

    Raises:
      cli.UserError: some are missing.
    """
    paths, missing = [], []
    for image in images:
        # Only the last part, so that a name cannot lead out of the folder.
        name = os.path.basename(image["file_name"])
        candidates = [os.path.join(folder, inside, name) for inside in _FOLDERS]
        existing = [path for path in candidates if os.path.isfile(path)]
        paths += existing[:1]
        missing += [] if existing else [name]
    if missing:
        raise cli.UserError(
            f"{folder}: {len(missing)} of {len(images)} pictures are missing, the first is"
            f" {missing[0]}; put them there or into val2017/, or use --limit."
        )
    return paths


def category_ids(content: Mapping[str, Any], classes: int, source: str) -> list[int]:
    """Returns the COCO category ID of each of a model's classes.

    Args:
      content: the annotations.
      classes: the model's number of classes: 90 for COCO's IDs with their gaps, or as many as the
        dataset has categories.
      source: the model's name, for messages.

    Raises:
      cli.UserError: the model has another number of classes.
    """
    ids = sorted(category["id"] for category in content["categories"])
    if classes == 90:
        return list(range(1, 91))
    if classes == len(ids):
        return ids
    raise cli.UserError(
        f"{source}: has {classes} classes, but COCO has {len(ids)} categories with IDs up to 90;"
        " give a detector that was trained on COCO."
    )


def results(
    image: Mapping[str, Any], detections: Sequence[Detection], categories: Sequence[int]
) -> list[dict[str, Any]]:
    """Returns detections as rows of COCO's result format, with boxes clipped to the picture.

    Args:
      image: the picture's row of the annotations.
      detections: the detector's results; unknown classes are left out.
      categories: the COCO category ID of each class.
    """
    rows = []
    for detection in detections:
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
    """Returns COCO's twelve metrics for boxes, by the names of `METRICS`.

    Args:
      content: the annotations.
      rows: the detections, as `results` returns them.
      image_ids: the pictures on which the detector was run.
    """
    if not rows:
        return dict.fromkeys(METRICS, 0.0)
    # pycocotools prints its progress to stdout, which is reserved for the results.
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = dict(content)
        truth.createIndex()
        # loadRes modifies the rows, so it gets copies.
        evaluation = cocoeval.COCOeval(truth, truth.loadRes([dict(row) for row in rows]), "bbox")
        evaluation.params.imgIds = list(image_ids)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(METRICS, map(float, np.asarray(evaluation.stats)), strict=True))


def detect(
    detector: Detector, folder: str, limit: int | None
) -> tuple[dict[str, Any], list[int], list[dict[str, Any]]]:
    """Runs a detector on the first `limit` pictures of a dataset.

    Returns:
      The annotations, the pictures' IDs, and the detections as `results` returns them.
    """
    content = annotations(folder)
    images = sorted(content["images"], key=lambda image: image["id"])[:limit]
    paths = picture_paths(folder, images)
    categories = category_ids(content, detector.classes, detector.interpreter.source)
    rows = []
    pairs = zip(images, paths, strict=True)
    for image, path in evaluation.progress(pairs, len(images), "picture"):
        rows += results(image, detector.detect(pictures.read(path)), categories)
    return content, [image["id"] for image in images], rows


def evaluate(detector: Detector, folder: str, limit: int | None) -> evaluation.Evaluation:
    """Returns a detector's COCO metrics on the first `limit` pictures of a dataset."""
    content, image_ids, rows = detect(detector, folder, limit)
    metrics = average_precision(content, rows, image_ids)
    chosen = set(image_ids)
    truths = sum(row["image_id"] in chosen for row in content["annotations"])
    metrics["detections per picture"] = len(rows) / len(image_ids)
    options = detector.options
    return evaluation.Evaluation(
        metrics,
        len(image_ids),
        (
            f"{truths} annotated objects; score threshold"
            f" {options.get('nms_score_threshold', 0):.3g}, IoU threshold"
            f" {options.get('nms_iou_threshold', 0):.3g}, at most"
            f" {options.get('max_detections', 0)} detections per picture",
        ),
    )
