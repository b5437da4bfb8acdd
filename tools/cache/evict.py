"""Removes files from a cache until it is no larger than a given size.

    bazel run //tools/cache:evict -- --directory=DIR --max_size=20G

It may run while the server is running, for example from a timer. A server with --max_size does the
same by itself.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import pathlib
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.cache import eviction, settings
from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.cli import cli

_DIRECTORY = flags.DEFINE_string("directory", None, "The cache's folder.")
_MAX_SIZE = flags.DEFINE_string(
    "max_size", None, "The largest size of the cache, such as 500M or 20G."
)


def main(argv: Sequence[str]) -> None:
    del argv
    if not _DIRECTORY.value or not _MAX_SIZE.value:
        raise cli.UserError("--directory or --max_size is missing; give both.")
    size = settings.size(_MAX_SIZE.value)
    path = settings.absolute(_DIRECTORY.value)
    try:
        cli.say(eviction.evict(Directory(pathlib.Path(path)), size))
    except OSError as error:
        raise cli.UserError(
            f"{error.filename or path}: {error.strerror}; name the folder of a cache, and evict as"
            " the user who owns it."
        ) from error


if __name__ == "__main__":
    cli.run(main)
