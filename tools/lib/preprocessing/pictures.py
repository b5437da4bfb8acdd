"""Any picture that a person may have, as the upright RGB picture that a model expects."""

import os
import struct
import warnings

import numpy as np
from PIL import Image, ImageOps

from tools.lib.cli import cli

# As many as a camera gives; a PNG of a few kB can claim a thousand times that.
MAXIMUM_PIXELS = 200_000_000
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
_TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
_GREY = 128


def read(path: str) -> Image.Image:
    """Reads a picture.

    It is turned as its EXIF orientation says, transparency becomes white, 16 bits of grey become 8,
    and of several frames the first is taken.

    Args:
      path: a file in one of Pillow's formats.

    Returns:
      The picture in mode "RGB".

    Raises:
      cli.UserError: it is missing, damaged, truncated or no picture, or has more than
        `MAXIMUM_PIXELS`.
    """
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")
            if image.width * image.height > MAXIMUM_PIXELS:
                raise _too_large(path)
            image.load()
            return _rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except Image.UnidentifiedImageError as error:
        what = "is empty" if os.path.getsize(path) == 0 else "is in no format that is known"
        raise cli.UserError(f"{path}: {what}; give a PNG or JPEG file.") from error
    except OSError as error:
        reason = error.strerror or cli.first_line(error)
        raise cli.UserError(f"{path}: the picture cannot be read: {reason}.") from error
    # Pillow's readers of damaged files raise what they stumble over.
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
    """Grey values of more than 8 bits as uint8; which scale they have shows in the largest."""
    largest = float(values.max(initial=0))
    scale = 255 if largest <= 1 and values.dtype.kind == "f" else 1
    if largest > 255:
        scale = 255 / 65535 if largest <= 65535 else 255 / largest
    return np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)


def stretched(image: Image.Image, height: int, width: int) -> np.ndarray:
    """Returns the whole picture in another size, as the Object Detection API's resizer makes it.

    Returns:
      uint8 [height, width, 3].
    """
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def central(image: Image.Image, height: int, width: int, fraction: float = 0.875) -> np.ndarray:
    """Returns the middle of a picture, as classifiers of ImageNet are evaluated.

    Args:
      image: the picture.
      height: pixels.
      width: pixels.
      fraction: the part of both sides that is kept; slim's and MLPerf Mobile's is 0.875.

    Returns:
      uint8 [height, width, 3].
    """
    kept = max(1, round(image.width * fraction)), max(1, round(image.height * fraction))
    left, top = (image.width - kept[0]) // 2, (image.height - kept[1]) // 2
    return stretched(image.crop((left, top, left + kept[0], top + kept[1])), height, width)


def fitted(image: Image.Image, height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Returns the picture in its own proportions at the top left, as DeepLab is run.

    Returns:
      uint8 [height, width, 3], grey where the picture does not reach; and how many rows and columns
      of it are the picture.
    """
    scale = min(height / image.height, width / image.width)
    rows = min(height, max(1, round(image.height * scale)))
    columns = min(width, max(1, round(image.width * scale)))
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    canvas[:rows, :columns] = stretched(image, rows, columns)
    return canvas, (rows, columns)


def listed(given: list[str]) -> list[str]:
    """Returns the pictures that a person named, those of a folder by name.

    Args:
      given: files and folders, seen from where the person stands.

    Raises:
      cli.UserError: nothing is given, something is not there, or a folder has no pictures.
    """
    found = []
    for name in given:
        path = cli.callers_path(name)
        if not os.path.isdir(path):
            if not os.path.exists(path):
                raise cli.UserError(f"{name}: there is no such picture or folder.")
            found.append(path)
            continue
        inside = sorted(entry for entry in os.listdir(path) if entry.lower().endswith(SUFFIXES))
        if not inside:
            raise cli.UserError(f"{name}: the folder has no pictures ({', '.join(SUFFIXES)}).")
        found += [os.path.join(path, entry) for entry in inside]
    if not found:
        raise cli.UserError("no picture is given; give --image=FILE or a folder.")
    return found
