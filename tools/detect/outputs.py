"""Names and writes the drawn pictures."""

import io
import os
from collections.abc import Sequence

from PIL import Image

from reproducible_tflite.lib.cli import cli

_FORMATS = {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


def has_folder(given: Sequence[str]) -> bool:
    """Returns whether one of a person's paths is a folder."""
    return any(os.path.isdir(cli.callers_path(name)) for name in given)


def targets(paths: Sequence[str], output: str, any_folder: bool) -> list[str]:
    """Returns the file to write for each picture; creates the folder if one is needed.

    Args:
      paths: the pictures.
      output: the person's --output.
      any_folder: whether a folder of pictures was given; then a single picture needs a folder, too.

    Raises:
      cli.UserError: an input would be overwritten, the format is unknown, the folder cannot be
        created or written, or `output` is a file where a folder is needed.
    """
    place = cli.callers_path(output)
    suffix = os.path.splitext(place)[1].lower()
    if len(paths) == 1 and not any_folder and not os.path.isdir(place):
        if suffix not in _FORMATS:
            raise cli.UserError(
                f"{output}: does not end with one of {', '.join(sorted(_FORMATS))}; give a"
                " picture's name."
            )
        cli.check_output(output)
        return _checked([place], paths, output)
    if os.path.isfile(place) or suffix in _FORMATS:
        need = "a folder of pictures needs" if any_folder else f"{len(paths)} pictures need"
        raise cli.UserError(f"{output}: {need} a folder; give one.")
    try:
        os.makedirs(place, exist_ok=True)
    except OSError as error:
        raise cli.UserError(f"{output}: the folder cannot be created: {error.strerror}.") from error
    names: list[str] = []
    for path in paths:
        stem = os.path.splitext(os.path.basename(path))[0]
        name, number = f"{stem}.png", 2
        # Pictures in different folders may have the same name.
        while name in names:
            name, number = f"{stem}-{number}.png", number + 1
        names.append(name)
    cli.check_output(os.path.join(output, names[0]))
    return _checked([os.path.join(place, name) for name in names], paths, output)


def _checked(targets: list[str], paths: Sequence[str], output: str) -> list[str]:
    """Returns the targets if none of them is an input."""
    inputs = {os.path.realpath(cli.callers_path(path)) for path in paths}
    if any(os.path.realpath(target) in inputs for target in targets):
        raise cli.UserError(f"{output}: would overwrite an input picture; give another output.")
    return targets


def write(image: Image.Image, path: str) -> None:
    """Writes a picture in the format of its suffix, completely or not at all.

    Raises:
      cli.UserError: the file cannot be written, or the picture does not fit the format.
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
