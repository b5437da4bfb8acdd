"""The files of a catalogue that are served."""

import pathlib

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.page import server


def read(folder: str) -> dict[str, server.Page]:
    """Returns a catalogue's pages (.html) and statements (.json) by path, such as "/index.html".

    Raises:
      cli.UserError: the folder does not contain a catalogue.
    """
    path = pathlib.Path(folder)
    pages = server.files(path, (".html", ".json")) if path.is_dir() else {}
    if "/index.html" not in pages:
        raise cli.UserError(
            f"{folder}: contains no catalogue; build one with `bazel build //models:catalogue`."
        )
    return pages
