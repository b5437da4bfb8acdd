"""Draws a model's results on a picture."""

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reproducible_tflite.detect import labels
from reproducible_tflite.lib.interpreter.vision import Detection

# Golden angle steps around the colour circle give neighbouring classes different hues.
_GOLDEN_TURN = 0.618033988749895
_OVERLAY_OPACITY = 0.55
# Classes with smaller shares of the picture are summed up in the legend.
_LEAST_SHARE = 0.01
_WARNING = (176, 0, 32)
_PAPER = (250, 250, 250)
_INK = (24, 24, 24)


def colour(label: int) -> tuple[int, int, int]:
    """Returns a class's RGB colour, the same in every picture; neighbours differ in hue."""
    hue = (label * _GOLDEN_TURN + 0.02) % 1
    value = (1.0, 0.8)[label % 2]
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def luminance(rgb: Sequence[int]) -> float:
    """Returns an RGB colour's relative luminance as defined by WCAG 2, from 0 to 1."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in rgb)
    ]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrasting(rgb: Sequence[int]) -> tuple[int, int, int]:
    """Returns black or white, whichever has more contrast with a colour."""
    bright = luminance(rgb) + 0.05
    return (0, 0, 0) if bright / 0.05 >= 1.05 / bright else (255, 255, 255)


def _unit(image: Image.Image) -> float:
    """Returns the unit of all sizes: 1.0 for a picture of 640 pixels, and at least 0.75."""
    return max(0.75, max(image.size) / 640)


def _font(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(max(10, round(size)))


def pixels(box: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Returns a box's corners in a picture, (left, top, right, bottom), clipped to it.

    Args:
      box: (top, left, bottom, right), from 0 to 1.
      width: the picture's width in pixels.
      height: the picture's height in pixels.
    """
    top, left, bottom, right = (min(1.0, max(0.0, part)) for part in box)
    left, right = sorted((round(left * (width - 1)), round(right * (width - 1))))
    top, bottom = sorted((round(top * (height - 1)), round(bottom * (height - 1))))
    return left, top, right, bottom


def _overlaps(a: Sequence[int], b: Sequence[int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _place(
    corner: tuple[int, int, int, int],
    size: tuple[int, int],
    taken: Sequence[tuple[int, int, int, int]],
    limits: tuple[int, int],
) -> tuple[int, int, int, int]:
    """Returns a free rectangle for a label: above its box, else inside its upper edge."""
    left = max(0, min(corner[0], limits[0] - size[0]))
    candidates = [corner[1] - size[1], corner[1], corner[3] - size[1], corner[3]]
    candidates += range(corner[1] + size[1], corner[3] - size[1], size[1])
    candidates += [corner[1] - 2 * size[1], corner[3] + size[1], corner[1] - 3 * size[1]]
    rectangles = [
        (left, top, left + size[0], top + size[1])
        for top in candidates
        if 0 <= top <= limits[1] - size[1]
    ]
    for rectangle in rectangles:
        if not any(_overlaps(rectangle, other) for other in taken):
            return rectangle
    return rectangles[0] if rectangles else (left, 0, left + size[0], size[1])


def boxes(image: Image.Image, detections: Sequence[Detection], names: Sequence[str]) -> Image.Image:
    """Returns the picture with a box, the class and the score of every detection.

    Args:
      image: the picture, which is not changed.
      detections: what to draw, the most important first.
      names: the classes' names.
    """
    drawn = image.copy()
    draw = ImageDraw.Draw(drawn)
    unit = _unit(image)
    font, line = _font(14 * unit), max(2, round(2.5 * unit))
    corners = [pixels(detection.box, *image.size) for detection in detections]
    # The first detection is drawn on top.
    for detection, corner in reversed(list(zip(detections, corners, strict=True))):
        halo = contrasting(colour(detection.label))
        draw.rectangle(corner, outline=halo, width=line + max(1, round(unit)))
        draw.rectangle(corner, outline=colour(detection.label), width=line)
    taken: list[tuple[int, int, int, int]] = []
    for detection, corner in zip(detections, corners, strict=True):
        text = f"{labels.name(names, detection.label)} {detection.score:.0%}"
        gap = round(4 * unit)
        size = (round(draw.textlength(text, font=font)) + 2 * gap, round(font.size * 1.35))
        place = _place(corner, size, taken, image.size)
        taken.append(place)
        background = colour(detection.label)
        draw.rectangle(place, fill=background)
        middle = (place[0] + gap, (place[1] + place[3]) / 2)
        draw.text(middle, text, fill=contrasting(background), font=font, anchor="lm")
    return drawn


def _rows(
    image: Image.Image, rows: Sequence[tuple[tuple[int, int, int], str]], heading: str
) -> Image.Image:
    """Returns the picture with a legend to its right: a heading, then colours and texts."""
    unit = _unit(image)
    font, gap = _font(15 * unit), round(10 * unit)
    step = round(font.size * 1.6)
    texts = [heading, *(text for _, text in rows)]
    wide = max(round(font.getlength(text)) for text in texts) + step + 3 * gap
    height = max(image.height, 2 * gap + step * len(texts))
    canvas = Image.new("RGB", (image.width + wide, height), _PAPER)
    canvas.paste(image, (0, 0))
    draw = ImageDraw.Draw(canvas)
    left, y = image.width + gap, gap + step / 2
    draw.text((left, y), heading, fill=_INK, font=font, anchor="lm")
    for fill, text in rows:
        y += step
        side = step * 0.32
        draw.rectangle((left, y - side, left + 2 * side, y + side), fill=fill, outline=_INK)
        draw.text((left + 2 * side + gap, y), text, fill=_INK, font=font, anchor="lm")
    return canvas


def shares(segmented: np.ndarray) -> list[tuple[int, float]]:
    """Returns a segmentation's classes with their shares of the picture, largest first."""
    values, counts = np.unique(segmented, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(int(values[i]), float(counts[i] / segmented.size)) for i in order]


def overlay(image: Image.Image, segmented: np.ndarray, names: Sequence[str]) -> Image.Image:
    """Returns the picture overlaid with the colours of its classes, with a legend.

    Args:
      image: the picture.
      segmented: int32 [height, width], the class of each pixel.
      names: the classes' names.
    """
    classes, places = np.unique(segmented, return_inverse=True)
    palette = np.array([colour(int(label)) for label in classes], np.uint8)
    layer = Image.fromarray(palette[places.reshape(segmented.shape)])
    blended = Image.blend(image, layer, _OVERLAY_OPACITY)
    known = shares(segmented)
    rows = [
        (colour(label), f"{labels.name(names, label)}  {share:.1%}")
        for label, share in known
        if share >= _LEAST_SHARE
    ]
    if len(rows) < len(known):
        rest = sum(share for _, share in known if share < _LEAST_SHARE)
        rows.append((_PAPER, f"{len(known) - len(rows)} others  {rest:.1%}"))
    return _rows(blended, rows, "Classes, share of the picture")


def ranking(
    image: Image.Image, ranked: Sequence[tuple[int, float]], names: Sequence[str]
) -> Image.Image:
    """Returns the picture with the list of (class, probability) next to it."""
    rows = [
        (colour(label), f"{labels.name(names, label)}  {probability:.1%}")
        for label, probability in ranked
    ]
    return _rows(image, rows, f"The {len(ranked)} likeliest classes")


def warned(image: Image.Image, text: str) -> Image.Image:
    """Returns the picture with a warning below it, in white on red, in as many lines as needed."""
    unit = _unit(image)
    font, gap = _font(14 * unit), round(6 * unit)
    lines, words = [], text.split()
    while words:
        count = len(words)
        while count > 1 and font.getlength(" ".join(words[:count])) > image.width - 2 * gap:
            count -= 1
        lines.append(" ".join(words[:count]))
        words = words[count:]
    step = round(font.size * 1.4)
    canvas = Image.new("RGB", (image.width, image.height + step * len(lines) + 2 * gap), _WARNING)
    canvas.paste(image, (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        y = image.height + gap + step * (number + 0.5)
        draw.text((gap, y), line, fill="white", font=font, anchor="lm")
    return canvas
