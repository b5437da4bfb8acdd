"""Peak signal-to-noise ratio (PSNR) of enlarged pictures, on DIV2K or a dataset like it."""

import os

import numpy as np
from PIL import Image

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import evaluation, metrics
from reproducible_tflite.lib.interpreter.vision import Enlarger
from reproducible_tflite.lib.preprocessing import pictures


def pairs(folder: str, factor: int) -> list[tuple[str | None, str]]:
    """Returns pairs of (small picture, large picture); the small one is None if there are none.

    Args:
      folder: contains one folder with "HR" in its name, and optionally one with "LR". The latter
        contains the small pictures, itself or in a subfolder X2 (or X3, X4: the factor). A small
        picture has the name of its large one, or that name with x2 appended.
      factor: the ratio of the large pictures' width to that of the small ones.

    Raises:
      cli.UserError: there are other folders than these, or a small picture is missing.
    """
    entries = sorted(os.listdir(folder))
    folders = [name for name in entries if os.path.isdir(os.path.join(folder, name))]
    large = [name for name in folders if "HR" in name]
    small = [name for name in folders if "LR" in name]
    if len(large) != 1 or len(small) > 1:
        raise cli.UserError(
            f"{folder}: needs one folder whose name has HR, and at most one with LR; it has"
            f" {len(large)} and {len(small)}."
        )
    truths = pictures.listed([os.path.join(folder, large[0])])
    if not small:
        return [(None, truth) for truth in truths]
    place = os.path.join(folder, small[0])
    if os.path.isdir(os.path.join(place, f"X{factor}")):
        place = os.path.join(place, f"X{factor}")
    matched = []
    for truth in truths:
        stem, suffix = os.path.splitext(os.path.basename(truth))
        names = [os.path.join(place, stem + end + suffix) for end in ("", f"x{factor}")]
        existing = [name for name in names if os.path.isfile(name)]
        if not existing:
            raise cli.UserError(f"{names[0]}: is missing, so {stem} cannot be measured.")
        matched.append((existing[0], truth))
    return matched


def evaluate(enlarger: Enlarger, folder: str, limit: int | None) -> evaluation.Evaluation:
    """Returns the mean PSNR of a model and of bicubic, on the first `limit` pictures."""
    chosen = pairs(folder, enlarger.factor)[:limit]
    factor = enlarger.factor
    ours, bicubic = [], []
    for small_path, large_path in evaluation.progress(chosen, len(chosen), "picture"):
        large = pictures.read(large_path)
        size = (large.width // factor, large.height // factor)
        if 0 in size:
            raise cli.UserError(
                f"{large_path}: has {large.width}x{large.height} pixels, too few for 1/{factor} of"
                " it; remove it."
            )
        large = large.crop((0, 0, size[0] * factor, size[1] * factor))
        if small_path is None:
            small = large.resize(size, Image.Resampling.BICUBIC)
        else:
            small = pictures.read(small_path)
            if small.size != size:
                raise cli.UserError(
                    f"{small_path}: has {small.width}x{small.height} pixels instead of"
                    f" {size[0]}x{size[1]}, which is 1/{factor} of {os.path.basename(large_path)}."
                )
        truth = np.asarray(large)
        ours.append(metrics.psnr(np.asarray(enlarger.enlarge(small)), truth))
        plain = small.resize(large.size, Image.Resampling.BICUBIC)
        bicubic.append(metrics.psnr(np.asarray(plain), truth))
    notes = () if chosen[0][0] else ("the small pictures were made with Pillow's bicubic filter",)
    return evaluation.Evaluation(
        {"PSNR in dB": float(np.mean(ours)), "PSNR of bicubic in dB": float(np.mean(bicubic))},
        len(chosen),
        notes,
    )
