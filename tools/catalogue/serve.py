"""Shows the catalogue of models in a browser: `bazel run //tools/catalogue:serve`.

The server is reachable from this machine only, and serves only the catalogue's files. Ctrl-C ends
it.
Usage: bazel run //tools/catalogue:serve -- [--port=8000] [--nobrowse]
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import os
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.catalogue import pages
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.page import server

_CATALOGUE = flags.DEFINE_string(
    "catalogue", None, "The folder with index.html and the cards.", required=True
)


def main(argv: Sequence[str]) -> None:
    """Serves the catalogue until Ctrl-C."""
    del argv
    served = pages.read(os.path.abspath(_CATALOGUE.value))
    server.show(f"The catalogue, {len(served)} files,", served, {})


if __name__ == "__main__":
    cli.run(main)
