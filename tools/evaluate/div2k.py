"""Peak signal-to-noise ratio of enlarged pictures, on DIV2K or a set laid out like it."""

import os

import numpy as np
from PIL import Image

from tools.evaluate import measured, metrics
from tools.lib.cli import cli
from tools.lib.interpreter.vision import Enlarger
from tools.lib.preprocessing import pictures


def pairs(folder: str, factor: int) -> list[tuple[str | None, str]]:
    """Returns (small picture, large picture); the small one None where the set has none.

    Args:
      folder: has one folder whose name holds "HR", and may have one with "LR", with the small
        pictures or with a subfolder X2 (or X3, X4: the factor) of them. A small picture is called
        as its large one, or with x2 behind.
      factor: how much larger the large ones are.

    Raises:
      cli.UserError: there is no or more than one such folder, or a small picture is missing.
    """
    inside = sorted(entry for entry in os.listdir(folder))
    folders = [name for name in inside if os.path.isdir(os.path.join(folder, name))]
    large = [name for name in folders if "HR" in name]
    small = [name for name in folders if "LR" in name]
    if len(large) != 1 or len(small) > 1:
        raise cli.UserError(
            f"{folder}: one folder is needed whose name has HR, and at most one with LR; there are"
            f" {len(large)} and {len(small)}."
        )
    truths = pictures.listed([os.path.join(folder, large[0])])
    if not small:
        return [(None, truth) for truth in truths]
    place = os.path.join(folder, small[0])
    if os.path.isdir(os.path.join(place, f"X{factor}")):
        place = os.path.join(place, f"X{factor}")
    found = []
    for truth in truths:
        stem, suffix = os.path.splitext(os.path.basename(truth))
        names = [os.path.join(place, stem + end + suffix) for end in ("", f"x{factor}")]
        there = [name for name in names if os.path.isfile(name)]
        if not there:
            raise cli.UserError(f"{names[0]}: is missing, so {stem} cannot be measured.")
        found.append((there[0], truth))
    return found


def evaluate(enlarger: Enlarger, folder: str, limit: int | None) -> measured.Measured:
    """Returns the mean PSNR on the first `limit` pictures of a set, beside that of bicubic."""
    chosen = pairs(folder, enlarger.factor)[:limit]
    factor = enlarger.factor
    ours, bicubic = [], []
    for small_path, large_path in measured.progress(chosen, len(chosen), "picture"):
        large = pictures.read(large_path)
        size = (large.width // factor, large.height // factor)
        if small_path is None:
            large = large.crop((0, 0, size[0] * factor, size[1] * factor))
            small = large.resize(size, Image.Resampling.BICUBIC)
        else:
            small = pictures.read(small_path)
            if small.size != size:
                raise cli.UserError(
                    f"{small_path}: has {small.width}x{small.height} pixels instead of"
                    f" {size[0]}x{size[1]}, a {factor}th of {os.path.basename(large_path)}."
                )
            large = large.crop((0, 0, size[0] * factor, size[1] * factor))
        truth = np.asarray(large)
        ours.append(metrics.psnr(np.asarray(enlarger.enlarge(small)), truth))
        plain = small.resize(large.size, Image.Resampling.BICUBIC)
        bicubic.append(metrics.psnr(np.asarray(plain), truth))
    notes = () if chosen[0][0] else ("the small pictures were made with Pillow's bicubic filter",)
    return measured.Measured(
        {"PSNR in dB": float(np.mean(ours)), "PSNR of bicubic in dB": float(np.mean(bicubic))},
        len(chosen),
        notes,
    )
