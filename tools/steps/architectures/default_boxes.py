"""The default boxes of MLPerf's SSD-ResNet34 at 1200x1200.

Liu et al., "SSD: single shot multibox detector" (2016), section 2.2, with the sizes of MLPerf
inference's others/cloud/single_stage_detector.
"""

import dataclasses
import math

import numpy as np

SIZE = 1200


@dataclasses.dataclass(frozen=True)
class FeatureMap:
    """The boxes at the cells of one feature map.

    Attributes:
      cells: the number of rows, and of cells in a row.
      step: the distance of neighbouring cells in pixels of `SIZE`. It is rounded down if the cells
        do not divide `SIZE`, so that the boxes end slightly before the picture does.
      scale: the side of the first square box, relative to the picture's.
      ratios: the aspect ratios of the other boxes; each is used upright too.
    """

    cells: int
    step: int
    scale: float
    ratios: tuple[int, ...]

    @property
    def boxes(self) -> int:
        """The number of boxes per cell."""
        return 2 + 2 * len(self.ratios)


FEATURE_MAPS = (
    FeatureMap(50, 24, 0.07, (2,)),
    FeatureMap(25, 48, 0.15, (2, 3)),
    FeatureMap(13, 92, 0.33, (2, 3)),
    FeatureMap(7, 171, 0.51, (2, 3)),
    FeatureMap(3, 400, 0.69, (2,)),
    FeatureMap(3, 400, 0.87, (2,)),
)
# The scale of a next feature map, for the second square of the last one.
_LAST_SCALE = 1.05


def default_boxes() -> np.ndarray:
    """Returns all boxes: float32 [15130, 4] of centre y, centre x, height, width, relative to 1.

    They are ordered by feature map, shape and row, and not clipped to the picture.
    """
    next_scales = [feature_map.scale for feature_map in FEATURE_MAPS[1:]] + [_LAST_SCALE]
    boxes = [_boxes(*pair) for pair in zip(FEATURE_MAPS, next_scales, strict=True)]
    return np.concatenate(boxes).astype(np.float32)


def _boxes(feature_map: FeatureMap, next_scale: float) -> np.ndarray:
    between = math.sqrt(feature_map.scale * next_scale)
    shapes = [(feature_map.scale, feature_map.scale), (between, between)]
    for ratio in feature_map.ratios:
        short = feature_map.scale / math.sqrt(ratio)
        long = feature_map.scale * math.sqrt(ratio)
        shapes += [(short, long), (long, short)]
    centres = (np.arange(feature_map.cells) + 0.5) * feature_map.step / SIZE
    y, x = np.meshgrid(centres, centres, indexing="ij")
    return np.concatenate(
        [
            np.stack([y.ravel(), x.ravel(), np.full(y.size, h), np.full(y.size, w)], axis=1)
            for h, w in shapes
        ]
    )
