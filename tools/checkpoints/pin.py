"""Checks a published checkpoint and writes its sha256 into the pin table.

Usage: bazel run //tools/checkpoints:pin -- NAME [--archive=PATH]

A signature contains the CRC32C of every tensor. That detects another or a damaged checkpoint, but
it is not cryptographic proof: an attacker can forge tensors with the same CRC32C. From then on, the
pinned sha256 decides which file everybody gets, so compare it with one from another source. If a
row is already pinned, its files are checked again.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import hashlib
import os
import pathlib
import tempfile
from collections.abc import Mapping, Sequence

from absl import flags

from reproducible_tflite.checkpoints import archive, authenticate, download, table
from reproducible_tflite.lib.cli import cli

_TABLE = "third_party/checkpoints/released.lock.json"

_COMPARE = (
    "A CRC32C or md5 shows that a file is the expected one and undamaged. It is no cryptographic"
    " proof\nagainst forgery. Please compare the sha256 with one from another source: over another"
    " network,\nor from somebody who has the file."
)

_ARCHIVE = flags.DEFINE_string(
    "archive",
    None,
    "A local copy of the archive or file, or a folder with all files of the row, each named like"
    " the end of its URL. Without this flag, they are downloaded.",
)
_TIMEOUT = flags.DEFINE_float(
    "timeout",
    60,
    "Seconds to wait for a silent or very slow server.",
    lower_bound=0.1,
    upper_bound=1e9,
)


def digests(path: str) -> tuple[int, dict[str, str]]:
    """Returns a file's length in bytes and its hex digests by algorithm, "md5" and "sha256".

    Raises:
      cli.UserError: it cannot be read.
    """
    hashes = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}
    size = 0
    try:
        with open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                size += len(block)
                for algorithm in hashes.values():
                    algorithm.update(block)
    except OSError as error:
        raise cli.UserError(f"{path}: cannot be read: {error.strerror}.") from error
    return size, {kind: algorithm.hexdigest() for kind, algorithm in hashes.items()}


def check_digests(path: str, file: table.File, size: int, actual: Mapping[str, str]) -> None:
    """Checks a file's size in bytes and its digests against its row.

    Raises:
      cli.UserError: the table has another size or digest.
    """
    if file.size not in (None, size):
        raise cli.UserError(
            f"{path}: has {size} bytes, but the table says {file.size}: it is truncated or another"
            " file."
        )
    for kind, expected in file.digests.items():
        if actual[kind] != expected:
            raise cli.UserError(
                f"{path}: its {kind} is {actual[kind]}, but the table says {expected}: it is"
                " damaged or another file."
            )


def unauthenticated(row: table.Row) -> list[table.File]:
    """Returns the files of a row that have neither a digest nor a signature."""
    signed = tuple(prefix + end for prefix in row.signatures for end in (".index", ".data-"))

    def is_signed(file: table.File) -> bool:
        return bool(signed) if row.is_archive else file.path.startswith(signed)

    return [file for file in row.files if not file.digests and not is_signed(file)]


def _check_tensors(folder: str, prefix: str, signature: str, where: str) -> None:
    """Checks every tensor that a signature names, and prints what was checked.

    Args:
      folder: holds the checkpoint, in any folder of it.
      prefix: the checkpoint's prefix in the table.
      signature: the path of its signature.
      where: the source of the checkpoint, for messages.

    Raises:
      cli.UserError: there is not one such checkpoint, or it does not match the signature.
    """
    end = f"/{prefix}.index"
    found = [str(path) for path in pathlib.Path(folder).rglob("*") if str(path).endswith(end)]
    if len(found) != 1:
        raise cli.UserError(f"{where}: contains {prefix}.index {len(found)} times, not once.")
    local = found[0].removesuffix(".index")
    try:
        checked = authenticate.check(local, signature)
    except cli.UserError as error:
        # The local folder is temporary, so the message names the prefix in the table.
        raise cli.UserError(f"{where}: {str(error).replace(local, prefix)}") from error
    cli.say(
        f"{prefix}: {checked.tensors} tensors ({checked.bytes} bytes) match"
        f" {os.path.basename(signature)}; variables without a signature: {checked.unsigned}"
    )


def _place(file: table.File, path: str, row: table.Row) -> str:
    """Links the given file to `path`, or downloads it there; returns its source."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not _ARCHIVE.value:
        cli.say(f"{row.name}: downloading {file.url}")
        download.download(file.url, path, _TIMEOUT.value, file.size)
        return file.url
    given = cli.callers_path(_ARCHIVE.value)
    if os.path.isdir(given):
        given = os.path.join(given, file.name)
    elif len(row.files) > 1:
        raise cli.UserError(
            f"{given}: is not a folder, but {row.name} has {len(row.files)} files; give the folder"
            " that contains them."
        )
    os.symlink(os.path.abspath(given), path)
    return given


def _check(row: table.Row, folder: str, table_path: str) -> dict[str, tuple[str, int]]:
    """Gets a row's files and checks their digests and tensors.

    Returns:
      sha256 and length in bytes by URL.
    """
    pins = {}
    tree = os.path.join(folder, "files")
    sources = {}
    try:
        for file in row.files:
            path = os.path.join(tree, file.path or file.name)
            # For an error during the download.
            sources[path] = file.url
            sources[path] = _place(file, path, row)
            size, actual = digests(path)
            check_digests(path, file, size, actual)
            pins[file.url] = (actual["sha256"], size)
        where = row.name
        signatures = os.path.join(os.path.dirname(table_path), "signatures")
        if row.is_archive:
            # Also without signatures, to check that the archive is safe: the build unpacks it.
            where, tree = path, os.path.join(folder, "members")
            archive.unpack(path, tree, archive.Limits())
        for prefix, signature in row.signatures.items():
            _check_tensors(tree, prefix, os.path.join(signatures, signature), where)
    except (archive.ArchiveError, cli.UserError) as error:
        # The local files are temporary, so the message names their sources.
        message = str(error)
        for path, source in sources.items():
            message = message.replace(path, source)
        raise cli.UserError(message) from error
    return pins


def main(argv: Sequence[str]) -> None:
    """Checks and pins the row argv[1] of the table."""
    if len(argv) != 2:
        raise cli.UserError(
            "no name is given; give a name of the pin table, as in"
            " `bazel run //tools/checkpoints:pin -- NAME`."
        )
    table_path = os.path.join(cli.workspace(), _TABLE)
    cli.check_output(table_path)
    row = table.find(table_path, argv[1])
    unknown = unauthenticated(row)
    if unknown:
        raise cli.UserError(
            f"{table_path}: {row.name} has neither a signature nor a digest of {unknown[0].name},"
            " so the file cannot be authenticated; add one of them to its row."
        )
    with tempfile.TemporaryDirectory(prefix="pin-") as folder:
        pins = _check(row, folder, table_path)
    changed = table.write_pins(table_path, row.name, pins)
    if not row.signatures:
        cli.say(f"{row.name}: no tensor has a signature.")
    for file in row.files:
        sha256, size = pins[file.url]
        matches = f"; matches the table's {' and '.join(file.digests)}" if file.digests else ""
        cli.say(f"{file.path or file.name}: {size} bytes, sha256 {sha256}{matches}")
    if changed:
        cli.say(_COMPARE)
        cli.say(f"{table_path}: pinned. Commit it, then build with --config=released.")
    else:
        cli.say(f"{table_path}: was already pinned to the same files.")
    if _ARCHIVE.value:
        given = cli.callers_path(_ARCHIVE.value)
        folder = given if os.path.isdir(given) else os.path.dirname(given)
        cli.say(f"The build can use the local copy with --distdir={folder or '.'}")


if __name__ == "__main__":
    cli.run(main, positional=1)
