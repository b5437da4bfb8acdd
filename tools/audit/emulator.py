"""Checks that the pinned emulator supports a processor, before a round is built on it."""

import pathlib
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence

from reproducible_tflite.lib.bazel import client, labels
from reproducible_tflite.lib.cli import cli

_PROGRAM = "qemu-x86_64-static"
# Stands for its package. In another repository, the package's own label is not visible.
_ALIAS = "//tools/audit:emulator_package"
# Its first words when it is run in itself, as a program that needs no other file.
_VERSION = "qemu-x86_64 version"


def unpack(package: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Extracts the emulator from its Debian package.

    Args:
      package: the .deb.
      folder: the folder to write the program to.

    Raises:
      cli.UserError: the package cannot be read.
    """
    path = folder / _PROGRAM
    try:
        with (
            subprocess.Popen(
                ["dpkg-deb", "--fsys-tarfile", str(package)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            ) as reader,
            tarfile.open(fileobj=reader.stdout, mode="r|") as archive,
        ):
            member = next(entry for entry in archive if entry.name.endswith(f"/bin/{_PROGRAM}"))
            path.write_bytes(archive.extractfile(member).read())
    except (OSError, tarfile.TarError, StopIteration) as error:
        raise cli.UserError(f"{package}: no {_PROGRAM} can be taken out of it.") from error
    path.chmod(0o755)
    return path


def check_model(command: Sequence[str], model: str) -> None:
    """Checks that an emulator supports a processor.

    Args:
      command: the emulator's command line.
      model: the processor, such as "Haswell" or "Haswell,-avx2".

    Raises:
      cli.UserError: the emulator does not support it, or cannot be started.
    """
    try:
        result = subprocess.run(
            [*command, "-cpu", model, command[0], "-version"],
            check=False,
            capture_output=True,
            text=True,
        )
    except OSError as error:
        # Folders for temporary files may be mounted without the right to run programs.
        raise cli.UserError(
            f"{command[0]}: the emulator cannot be started: {error.strerror}; set TMPDIR to a"
            " folder from which programs can be run."
        ) from error
    if result.returncode or not result.stdout.startswith(_VERSION):
        said = result.stderr.strip().splitlines() or ["it is no processor's name"]
        raise cli.UserError(
            f"--cpu_model={model}: the pinned emulator does not take it: {said[0].rstrip('.')}; "
            "`qemu-x86_64 -cpu help` lists those that it has."
        )


def check(model: str, repository_cache: str, options: Sequence[str]) -> None:
    """Checks that the pinned emulator supports a processor; fetches the emulator if necessary.

    Args:
      model: the processor.
      repository_cache: where downloads are kept.
      options: the options of the audit's builds.

    Raises:
      cli.UserError: the emulator does not support it, or cannot be fetched.
    """
    package = f"labels(actual, {labels.own(_ALIAS)})"
    downloads = f"--repository_cache={repository_cache}"
    place = client.query(options, downloads, "--output=location", package)
    # FILE:LINE:COLUMN: KIND LABEL; the file is the package itself or the BUILD file beside it.
    beside, name = pathlib.Path(place.partition(":")[0]), place.rpartition(":")[2]
    with tempfile.TemporaryDirectory(prefix="audit-emulator-") as folder:
        program = unpack(beside.with_name(name), pathlib.Path(folder))
        check_model([str(program)], model)
