"""Reads any picture as the upright RGB picture that a model expects."""

import os
import struct
import warnings
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from reproducible_tflite.lib.cli import cli

# More than cameras have. A PNG of a few kB can claim a thousand times as many.
MAXIMUM_PIXELS = 200_000_000
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
_TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
_GREY = 128


def read(path: str, formats: Sequence[str] | None = None) -> Image.Image:
    """Reads a picture.

    The picture is rotated to its EXIF orientation, transparency becomes white, 16-bit grey becomes
    8-bit, and only the first frame is kept.

    Args:
      path: a file in one of Pillow's formats.
      formats: Pillow's names of the formats to take, such as "PNG"; None for all.

    Returns:
      The picture in mode "RGB".

    Raises:
      cli.UserError: the file is missing, damaged, truncated or not a picture, or has more than
        `MAXIMUM_PIXELS`.
    """
    try:
        with warnings.catch_warnings(), Image.open(path, formats=formats) as image:
            warnings.simplefilter("ignore")
            if image.width * image.height > MAXIMUM_PIXELS:
                raise _too_large(path)
            image.load()
            return _rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except Image.UnidentifiedImageError as error:
        what = "is empty" if os.path.getsize(path) == 0 else "has no known picture format"
        raise cli.UserError(f"{path}: {what}; give a PNG or JPEG file.") from error
    except OSError as error:
        reason = error.strerror or cli.first_line(error)
        raise cli.UserError(f"{path}: the picture cannot be read: {reason}.") from error
    # Pillow raises many kinds of exceptions for damaged files.
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        SyntaxError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        raise cli.UserError(
            f"{path}: the picture is damaged: {cli.first_line(error)}; get it again."
        ) from error


def _too_large(path: str) -> cli.UserError:
    return cli.UserError(
        f"{path}: the picture has more than {MAXIMUM_PIXELS // 1_000_000} million pixels; make it"
        " smaller first."
    )


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Returns grey values of more than 8 bits as uint8; the largest value shows their scale."""
    largest = float(values.max(initial=0))
    scale = 255 if largest <= 1 and values.dtype.kind == "f" else 1
    if largest > 255:
        scale = 255 / 65535 if largest <= 65535 else 255 / largest
    return np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)


def stretched(image: Image.Image, height: int, width: int) -> np.ndarray:
    """Returns the uncropped picture in another size, as the Object Detection API resizes it.

    Returns:
      uint8 [height, width, 3], in pixels.
    """
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def central(image: Image.Image, height: int, width: int, fraction: float = 0.875) -> np.ndarray:
    """Returns the centre of a picture, as in the evaluation of ImageNet's classifiers.

    `fraction` is the share of each side that is kept; 0.875 in slim and MLPerf Mobile.

    Returns:
      uint8 [height, width, 3], in pixels.
    """
    kept = max(1, round(image.width * fraction)), max(1, round(image.height * fraction))
    left, top = (image.width - kept[0]) // 2, (image.height - kept[1]) // 2
    return stretched(image.crop((left, top, left + kept[0], top + kept[1])), height, width)


def fitted(image: Image.Image, height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Returns the picture at the top left of a grey canvas, with its aspect ratio, as for DeepLab.

    Returns:
      uint8 [height, width, 3], in pixels; and how many of its rows and columns the picture covers.
    """
    scale = min(height / image.height, width / image.width)
    rows = min(height, max(1, round(image.height * scale)))
    columns = min(width, max(1, round(image.width * scale)))
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    canvas[:rows, :columns] = stretched(image, rows, columns)
    return canvas, (rows, columns)


def listed(given: list[str]) -> list[str]:
    """Returns the paths of pictures, those in a folder sorted by name.

    Args:
      given: files and folders, see `cli.callers_path`.

    Raises:
      cli.UserError: nothing is given, a path does not exist, or a folder has no pictures.
    """
    paths = []
    for name in given:
        path = cli.callers_path(name)
        if not os.path.isdir(path):
            if not os.path.exists(path):
                raise cli.UserError(f"{name}: there is no such picture or folder.")
            paths.append(path)
            continue
        inside = sorted(entry for entry in os.listdir(path) if entry.lower().endswith(SUFFIXES))
        if not inside:
            raise cli.UserError(f"{name}: the folder has no pictures ({', '.join(SUFFIXES)}).")
        paths += [os.path.join(path, entry) for entry in inside]
    if not paths:
        raise cli.UserError("no picture is given; give --image=FILE or a folder.")
    return paths
