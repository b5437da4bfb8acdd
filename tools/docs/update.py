"""Writes the generated pages into the workspace.

Its arguments are the `pages` of `update`.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import os
from collections.abc import Sequence

from reproducible_tflite.lib.cli import cli


def update(workspace: str, pages: Sequence[str]) -> None:
    """Writes pages.

    Args:
      workspace: the folder that they are in.
      pages: each a page's path in the workspace, `=`, and the path of what it has to be.

    Raises:
      UserError: a page cannot be written.
    """
    for page, written in (entry.split("=") for entry in pages):
        content = cli.read_file(written, "written page")
        with cli.output_file(os.path.join(workspace, page)) as stream:
            stream.write(content)
        cli.say(f"Written: {page}")


def main(argv: Sequence[str]) -> None:
    update(cli.workspace(), argv[1:])


if __name__ == "__main__":
    cli.run(main, positional=None)
