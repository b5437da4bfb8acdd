"""Shows the catalogue of models in a browser: `bazel run //tools/catalogue:serve`.

It is served to this machine alone, and nothing is served but its own files. Ctrl-C ends it.
Usage: bazel run //tools/catalogue:serve -- [--port=8000] [--nobrowse]
"""

import os
from collections.abc import Sequence

from absl import flags

from tools.catalogue import pages
from tools.lib.cli import cli
from tools.lib.page import server

_CATALOGUE = flags.DEFINE_string(
    "catalogue", None, "The folder with index.html and the cards.", required=True
)


def main(argv: Sequence[str]) -> None:
    del argv
    served = pages.read(os.path.abspath(_CATALOGUE.value))
    server.show(f"The catalogue, {len(served)} files,", served, {})


if __name__ == "__main__":
    cli.run(main)
