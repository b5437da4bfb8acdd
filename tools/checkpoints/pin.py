"""Writes the sha256 of what is published into the pin table, after checking what is in it.

Usage: bazel run //tools/checkpoints:pin -- NAME [--archive=PATH]

The signatures hold the CRC32C of every tensor. That tells one checkpoint from another and finds
damage, but it is no cryptographic proof: who wants to can make other tensors of the same CRC32C.
The sha256 that is pinned here is what keeps everybody on the same files from then on, so compare it
with one that was got elsewhere. A row that is pinned already is checked again, file by file.
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence

from absl import flags

from tools.checkpoints import archive, authenticate, download, table
from tools.lib.cli import cli

_TABLE = "third_party/checkpoints/released.lock.json"

_COMPARE = (
    "A CRC32C or md5 tells that a file is the expected one and undamaged; it is no cryptographic"
    " proof\nthat nobody forged it. Please compare the sha256 with one that you got elsewhere: over"
    " another network,\nor from somebody who has the file."
)

_ARCHIVE = flags.DEFINE_string(
    "archive",
    None,
    "The archive or file, if it is already here, or a folder that has all files of the row, each"
    " called as its URL ends; it is downloaded otherwise.",
)
_TIMEOUT = flags.DEFINE_float(
    "timeout", 60, "Seconds to wait for a server that is silent or all but silent.", lower_bound=0.1
)
_TABLE_PATH = flags.DEFINE_string(
    "table", None, f"The pin table; by default the workspace's {_TABLE}."
)


def digests(path: str) -> tuple[int, dict[str, str]]:
    """Returns a file's length in bytes and its hex digests, md5 and sha256.

    Raises:
      UserError: it cannot be read.
    """
    found = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}
    size = 0
    try:
        with open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                size += len(block)
                for digest in found.values():
                    digest.update(block)
    except OSError as error:
        raise cli.UserError(f"{path}: cannot be read: {error.strerror}.") from error
    return size, {kind: digest.hexdigest() for kind, digest in found.items()}


def check_digests(path: str, file: table.File, size: int, found: Mapping[str, str]) -> None:
    """Raises UserError when the table states another size or digest than the file has."""
    if file.size not in (None, size):
        raise cli.UserError(
            f"{path}: has {size} bytes, but the table says {file.size}: it is truncated, or another"
            " file."
        )
    for kind, stated in file.digests.items():
        if found[kind] != stated:
            raise cli.UserError(
                f"{path}: its {kind} is {found[kind]}, but the table says {stated}: it is damaged,"
                " or another file."
            )


def unauthenticated(row: table.Row) -> list[table.File]:
    """Returns the files of a row of which neither a digest nor a signature is known."""

    signed = tuple(prefix + end for prefix in row.signatures for end in (".index", ".data-"))

    def is_signed(file: table.File) -> bool:
        return bool(signed) if row.is_archive else file.path.startswith(signed)

    return [file for file in row.files if not file.digests and not is_signed(file)]


def check_tensors(
    prefixes: Mapping[str, str], signatures: Mapping[str, str], folder: str, where: str
) -> None:
    """Checks every tensor that signatures name, and says what was checked.

    Args:
      prefixes: where the checkpoints lie, by their prefixes in the table.
      signatures: the file of each one's signature, likewise.
      folder: the folder of the signatures.
      where: what the checkpoints came from, for messages.

    Raises:
      UserError: a checkpoint is not what its signature says.
    """
    for prefix, local in prefixes.items():
        file = signatures[prefix]
        try:
            checked = authenticate.check(local, os.path.join(folder, file))
        except cli.UserError as error:
            # The folder is gone when somebody reads this; the prefix in the table is what counts.
            inside = str(error).replace(local, prefix)
            raise cli.UserError(f"{where}: {inside}") from error
        print(
            f"{prefix}: {checked.tensors} tensors ({checked.bytes} bytes) checked against"
            f" {file}, all equal; further variables, which it does not name: {checked.unsigned}"
        )


def _place(file: table.File, path: str, row: table.Row) -> str:
    """Puts a file to `path`, as it is given or by download; returns where it came from."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not _ARCHIVE.value:
        print(f"{row.name}: downloading {file.url}", flush=True)
        download.download(file.url, path, _TIMEOUT.value, file.size)
        return file.url
    given = cli.callers_path(_ARCHIVE.value)
    if os.path.isdir(given):
        given = os.path.join(given, file.name)
    elif len(row.files) > 1:
        raise cli.UserError(
            f"{given}: is no folder, but {row.name} has {len(row.files)} files; give the folder in"
            " which they lie."
        )
    os.symlink(os.path.abspath(given), path)
    return given


def _check(row: table.Row, folder: str, table_path: str) -> dict[str, tuple[str, int]]:
    """Gets a row's files and checks them in every way that the row allows.

    Returns:
      sha256 and length in bytes by URL.
    """
    pins = {}
    tree = os.path.join(folder, "files")
    places = {}
    try:
        for file in row.files:
            path = os.path.join(tree, file.path or file.name)
            places[path] = file.url
            places[path] = _place(file, path, row)
            size, found = digests(path)
            check_digests(path, file, size, found)
            pins[file.url] = (found["sha256"], size)
        prefixes = {prefix: os.path.join(tree, prefix) for prefix in row.signatures}
        if row.is_archive:
            # One without signatures is looked at too: the build unpacks it whole.
            members = os.path.join(folder, "members")
            prefixes = archive.extract_checkpoints(path, row.signatures, members, archive.Limits())
        where = path if row.is_archive else row.name
        signatures = os.path.join(os.path.dirname(table_path), "signatures")
        check_tensors(prefixes, row.signatures, signatures, where)
    except (archive.ArchiveError, cli.UserError) as error:
        # What was downloaded is gone when somebody reads this.
        message = str(error)
        for path, place in places.items():
            message = message.replace(path, place)
        raise cli.UserError(message) from error
    return pins


def main(argv: Sequence[str]) -> None:
    if len(argv) != 2:
        raise cli.UserError(
            "what to pin is not known; give its name in the pin table, as in"
            " `bazel run //tools/checkpoints:pin -- NAME`."
        )
    if _TABLE_PATH.value:
        table_path = cli.callers_path(_TABLE_PATH.value)
    else:
        table_path = os.path.join(cli.workspace(), _TABLE)
    row = table.find(table_path, argv[1])
    unknown = unauthenticated(row)
    if unknown:
        raise cli.UserError(
            f"{table_path}: {row.name} has neither a signature nor a digest of {unknown[0].name},"
            " so nothing tells the genuine file from another one; add one of them to its row."
        )
    with tempfile.TemporaryDirectory(prefix="pin-") as folder:
        pins = _check(row, folder, table_path)
    changed = table.write_pins(table_path, row.name, pins)
    if not row.signatures:
        print(f"{row.name}: no tensor has a signature.")
    for file in row.files:
        sha256, size = pins[file.url]
        stated = f"; the table stated its {' and '.join(file.digests)}" if file.digests else ""
        print(f"{file.path or file.name}: {size} bytes, sha256 {sha256}{stated}")
    if changed:
        print(_COMPARE)
        print(f"{table_path}: pinned. Commit it, then build with --config=released.")
    else:
        print(f"{table_path}: was pinned to the same already.")
    if _ARCHIVE.value:
        given = cli.callers_path(_ARCHIVE.value)
        folder = given if os.path.isdir(given) else os.path.dirname(given)
        print(f"The build finds it with --distdir={folder or '.'}")


if __name__ == "__main__":
    cli.run(main, positional=1)
