"""Writes a worker's root file system as a tar for `docker import`.

The bytes are the same each time: entries are sorted, and have no times, owners or modes of this
machine.
"""

import os
import pathlib
import tarfile
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli

_IMAGE = flags.DEFINE_string("image", None, "The folder with the root file system.")
_OUTPUT = flags.DEFINE_string("output", None, "The .tar to write.")

# Empty folders: for temporary files, and for what a worker mounts.
_FOLDERS = {"tmp": 0o1777, "dev": 0o755, "proc": 0o755}


def _entry(name: str, mode: int, size: int | None = None) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    if size is None:
        entry.type = tarfile.DIRTYPE
    else:
        entry.size = size
    return entry


def write(image: pathlib.Path, output: str) -> None:
    """Writes every file and folder of `image`, and the empty folders that a worker needs.

    Args:
      image: the folder with the root file system.
      output: the .tar to write.

    Raises:
      cli.UserError: `output` cannot be written.
    """
    folders = dict(_FOLDERS)
    files = []
    for folder, _, names in os.walk(image, followlinks=True):
        relative = pathlib.Path(folder).relative_to(image)
        if relative.parts:
            folders[str(relative)] = 0o755
        files += [str(relative / name) for name in names]
    with (
        cli.output_file(output) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, mode in sorted(folders.items()):
            tar.addfile(_entry(name, mode))
        for name in sorted(files):
            content = image / name
            executable = 0o755 if os.access(content, os.X_OK) else 0o644
            with open(content, "rb") as data:
                tar.addfile(_entry(name, executable, content.stat().st_size), data)


def main(argv: Sequence[str]) -> None:
    """Writes the image."""
    del argv
    write(pathlib.Path(_IMAGE.value), _OUTPUT.value)


if __name__ == "__main__":
    flags.mark_flags_as_required(["image", "output"])
    cli.run(main)
