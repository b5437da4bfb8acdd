"""What of a catalogue is served."""

import pathlib

from tools.lib.cli import cli
from tools.lib.page import server


def read(folder: str) -> dict[str, server.Page]:
    """Returns the pages and statements of a catalogue, by their addresses.

    Raises:
      cli.UserError: the folder is no catalogue.
    """
    path = pathlib.Path(folder)
    pages = server.files(path, (".html", ".json")) if path.is_dir() else {}
    if "/index.html" not in pages:
        raise cli.UserError(
            f"{folder}: holds no catalogue; build one with `bazel build //models:catalogue`."
        )
    return pages
