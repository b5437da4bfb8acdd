"""Where the drawn pictures go."""

import io
import os
from collections.abc import Sequence

from PIL import Image

from tools.lib.cli import cli

_FORMATS = {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


def has_folder(given: Sequence[str]) -> bool:
    """Returns whether a person named a folder among the pictures."""
    return any(os.path.isdir(cli.callers_path(name)) for name in given)


def targets(paths: Sequence[str], output: str, any_folder: bool) -> list[str]:
    """Returns the file for each picture; makes the folder when there are several.

    Args:
      paths: the pictures.
      output: what the person gave, seen from where the person stands.
      any_folder: whether a folder of pictures was given, which makes a folder of one picture too.

    Raises:
      cli.UserError: a given picture would be written over, the format is unknown, the folder
        cannot be made, or `output` is a file where a folder is needed.
    """
    place = cli.callers_path(output)
    suffix = os.path.splitext(place)[1].lower()
    if len(paths) == 1 and not any_folder and not os.path.isdir(place):
        if suffix not in _FORMATS:
            raise cli.UserError(
                f"{output}: ends with none of {', '.join(sorted(_FORMATS))}; name a picture."
            )
        return _none_of([place], paths, output)
    if os.path.isfile(place) or suffix in _FORMATS:
        raise cli.UserError(f"{output}: {len(paths)} pictures need a folder; name one.")
    try:
        os.makedirs(place, exist_ok=True)
    except OSError as error:
        raise cli.UserError(f"{output}: the folder cannot be made: {error.strerror}.") from error
    found: dict[str, None] = {}
    for path in paths:
        stem = os.path.splitext(os.path.basename(path))[0]
        name, number = stem, 2
        # Pictures of several folders may have one name.
        while f"{name}.png" in found:
            name, number = f"{stem}-{number}", number + 1
        found[f"{name}.png"] = None
    return _none_of([os.path.join(place, name) for name in found], paths, output)


def _none_of(targets: list[str], paths: Sequence[str], output: str) -> list[str]:
    given = {os.path.realpath(cli.callers_path(path)) for path in paths}
    if any(os.path.realpath(target) in given for target in targets):
        raise cli.UserError(f"{output}: would write over a given picture; name another place.")
    return targets


def write(image: Image.Image, path: str) -> None:
    """Writes a picture in the format that its name says; it is there whole or not at all.

    Raises:
      cli.UserError: it cannot be written.
    """
    kind = _FORMATS[os.path.splitext(path)[1].lower()]
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, quality=92) if kind != "PNG" else image.save(buffer, kind)
    except (OSError, ValueError) as error:
        raise cli.UserError(
            f"{path}: {image.width}x{image.height} pixels do not fit the format:"
            f" {cli.first_line(error)}; write a PNG."
        ) from error
    with cli.output_file(path) as stream:
        stream.write(buffer.getvalue())
