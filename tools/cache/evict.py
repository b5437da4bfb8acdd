"""Brings a cache's folder within a size.

    bazel run //tools/cache:evict -- --directory=DIR --max_size=20G

It may run beside the server, from a timer; the server does the same by itself where it is given
--max_size.
"""

import pathlib
from collections.abc import Sequence

from absl import flags

from tools.cache import eviction, settings
from tools.lib.cli import cli

_DIRECTORY = flags.DEFINE_string("directory", None, "The cache's folder.")
_MAX_SIZE = flags.DEFINE_string("max_size", None, "What it may take, as in 500M or 20G.")


def main(argv: Sequence[str]) -> None:
    del argv
    if not _DIRECTORY.value or not _MAX_SIZE.value:
        raise cli.UserError("give --directory and --max_size.")
    size = settings.size(_MAX_SIZE.value)
    path = settings.absolute(_DIRECTORY.value)
    try:
        directory = eviction.existing(pathlib.Path(path))
    except OSError as error:
        raise cli.UserError(
            f"{path}: this is no cache's folder: {error.filename}: {error.strerror}; name one that"
            " //tools/cache:serve has used."
        ) from error
    try:
        print(eviction.evict(directory, size))
    except OSError as error:
        raise cli.UserError(
            f"{error.filename or path}: {error.strerror}; evict as the user whom the folder belongs"
            " to."
        ) from error


if __name__ == "__main__":
    cli.run(main)
