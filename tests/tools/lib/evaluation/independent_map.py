"""An independent computation of COCO's mean average precision, from its definition.

https://cocodataset.org/#detection-eval: for each category and each IoU threshold from 0.50 to 0.95,
detections are matched, best score first, with the free object that they overlap most. The average
precision is the mean of the precisions at 101 recalls. Detections that match only a crowd do not
count.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

THRESHOLDS = np.arange(50, 100, 5) / 100
_RECALLS = np.arange(101) / 100
_MAX_DETECTIONS = 100


def _overlaps(boxes: np.ndarray, truths: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Returns the IoU of [x, y, width, height] boxes; for a crowd, the box's share inside it."""
    low = np.maximum(boxes[:, None, :2], truths[None, :, :2])
    high = np.minimum(
        boxes[:, None, :2] + boxes[:, None, 2:], truths[None, :, :2] + truths[None, :, 2:]
    )
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    own = np.prod(boxes[:, 2:], axis=1)[:, None]
    union = (
        own
        + np.where(crowd, 0, np.prod(truths[:, 2:], axis=1))[None]
        - np.where(crowd[None], 0, common)
    )
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _matches(overlaps: np.ndarray, crowd: np.ndarray, threshold: float) -> np.ndarray:
    """Returns 1 for a right detection, 0 for a wrong one, -1 for one that does not count."""
    free = ~crowd
    matches = np.zeros(len(overlaps), int)
    for place, row in enumerate(overlaps):
        best = np.where(free, row, -1.0)
        if best.size and best.max() >= threshold:
            # With equal overlaps, the last object is taken.
            free[np.flatnonzero(best == best.max())[-1]] = False
            matches[place] = 1
        elif crowd.any() and row[crowd].max() >= threshold:
            matches[place] = -1
    return matches


def _of_category(
    truths: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    image_ids: Sequence[int],
    threshold: float,
) -> float | None:
    """Returns one category's average precision; None if it has no objects."""
    scores, matches, objects_total = [], [], 0
    for image in image_ids:
        annotated = [truth for truth in truths if truth["image_id"] == image]
        crowd = np.array([bool(truth["iscrowd"]) for truth in annotated], bool)
        objects_total += int((~crowd).sum())
        own = [row for row in rows if row["image_id"] == image]
        own = sorted(own, key=lambda row: -row["score"])[:_MAX_DETECTIONS]
        boxes = np.array([row["bbox"] for row in own], float).reshape(-1, 4)
        objects = np.array([truth["bbox"] for truth in annotated], float).reshape(-1, 4)
        matches.append(_matches(_overlaps(boxes, objects, crowd), crowd, threshold))
        scores.append(np.array([row["score"] for row in own], float))
    if not objects_total:
        return None
    all_matches, all_scores = np.concatenate(matches), np.concatenate(scores)
    counted = all_matches >= 0
    order = np.argsort(-all_scores[counted], kind="stable")
    right = np.cumsum(all_matches[counted][order])
    precision = right / np.arange(1, len(right) + 1)
    recall = right / objects_total
    reached = [precision[recall >= least] for least in _RECALLS]
    return float(np.mean([part.max() if part.size else 0.0 for part in reached]))


def mean_average_precision(
    content: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], image_ids: Sequence[int]
) -> float:
    """Returns mAP over IoU 0.50 to 0.95, all areas, 100 detections per category and picture."""
    precisions = []
    for category in sorted({truth["category_id"] for truth in content["annotations"]}):
        truths = [x for x in content["annotations"] if x["category_id"] == category]
        own = [row for row in rows if row["category_id"] == category]
        values = [_of_category(truths, own, image_ids, threshold) for threshold in THRESHOLDS]
        if values[0] is not None:
            precisions.append(np.mean(values))
    return float(np.mean(precisions))
