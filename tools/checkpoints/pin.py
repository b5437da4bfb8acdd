"""Writes the sha256 of a published archive into the pin table, after checking what is in it.

Usage: bazel run //tools/checkpoints:pin -- NAME [--archive=FILE]

The signatures hold the CRC32C of every tensor. That tells one checkpoint from another and finds
damage, but it is no cryptographic proof: who wants to can make other tensors of the same CRC32C.
The sha256 that is pinned here is what keeps everybody on the same archive from then on, so compare
it with one that was got elsewhere.
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence

from absl import flags

from tools.checkpoints import archive, authenticate, download, table
from tools.cli import cli

_TABLE = "third_party/checkpoints/released.lock.json"
_ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")

_COMPARE = (
    "A CRC32C or md5 tells that the archive is the expected one and undamaged; it is no"
    " cryptographic proof\nthat nobody forged it. Please compare the sha256 with one that you got"
    " elsewhere: over another network,\nor from somebody who has the archive."
)

_ARCHIVE = flags.DEFINE_string(
    "archive", None, "The archive, if it is already here; it is downloaded otherwise."
)
_TIMEOUT = flags.DEFINE_float(
    "timeout", 60, "Seconds to wait for a server that is silent or all but silent.", lower_bound=0.1
)
_MAX_UNPACKED_BYTES = flags.DEFINE_integer(
    "max_unpacked_bytes", 2 << 30, "Refuse an archive that unpacks to more.", lower_bound=1
)
_MAX_MEMBERS = flags.DEFINE_integer(
    "max_members", 10_000, "Refuse an archive that has more members.", lower_bound=1
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
        raise cli.UserError(f"{path}: the archive cannot be read: {error.strerror}.") from error
    return size, {kind: digest.hexdigest() for kind, digest in found.items()}


def check_digests(path: str, row: table.Row, size: int, found: dict[str, str]) -> None:
    """Raises UserError when the table states another size or digest than the file has."""
    if row.size not in (None, size):
        raise cli.UserError(
            f"{path}: has {size} bytes, but the table says {row.size}: it is truncated, or another"
            " file."
        )
    for kind, stated in row.digests.items():
        if found[kind] != stated:
            raise cli.UserError(
                f"{path}: its {kind} is {found[kind]}, but the table says {stated}: it is damaged,"
                " or another file."
            )


def check_tensors(path: str, row: table.Row, signatures: str, limits: archive.Limits) -> None:
    """Checks every tensor that a row's signatures name, and says what was checked.

    Args:
      path: the archive.
      row: what the table says of it.
      signatures: the folder of the signatures.
      limits: how much the archive may unpack to.

    Raises:
      UserError: the archive or a checkpoint in it is not what the row says.
    """
    with tempfile.TemporaryDirectory(prefix="pin-") as folder:
        found = archive.extract_checkpoints(path, row.signatures, folder, limits)
        for prefix, local in found.items():
            file = row.signatures[prefix]
            try:
                checked = authenticate.check(local, os.path.join(signatures, file))
            except cli.UserError as error:
                # The folder is gone when somebody reads this; the member's name is what counts.
                inside = str(error).replace(folder + os.sep, "")
                raise cli.UserError(f"{path}: {prefix}: {inside}") from error
            print(
                f"{prefix}: {checked.tensors} tensors ({checked.bytes} bytes) checked against"
                f" {file}, all equal; further variables, which it does not name: {checked.unsigned}"
            )


def _check(path: str, row: table.Row, table_path: str) -> tuple[int, str]:
    """Checks an archive in every way that its row allows; returns its size and sha256."""
    size, found = digests(path)
    check_digests(path, row, size, found)
    if row.signatures or row.url.endswith(_ARCHIVE_ENDINGS):
        limits = archive.Limits(_MAX_UNPACKED_BYTES.value, _MAX_MEMBERS.value)
        check_tensors(path, row, os.path.join(os.path.dirname(table_path), "signatures"), limits)
    if not row.signatures:
        print(f"{row.name}: no tensor has a signature; its {' and '.join(row.digests)} is right.")
    return size, found["sha256"]


def main(argv: Sequence[str]) -> None:
    if len(argv) != 2:
        raise cli.UserError(
            "which archive to pin is not known; give its name in the pin table, as in"
            " `bazel run //tools/checkpoints:pin -- NAME`."
        )
    if _TABLE_PATH.value:
        table_path = cli.callers_path(_TABLE_PATH.value)
    else:
        table_path = os.path.join(cli.workspace(), _TABLE)
    row = table.find(table_path, argv[1])
    if not row.signatures and not row.digests:
        raise cli.UserError(
            f"{table_path}: {row.name} has neither a signature nor a digest, so nothing tells a"
            " genuine archive from another one; add one of them to its row."
        )
    with tempfile.TemporaryDirectory(prefix="pin-") as folder:
        if _ARCHIVE.value:
            path = cli.callers_path(_ARCHIVE.value)
        else:
            path = os.path.join(folder, "archive")
            print(f"{row.name}: downloading {row.url}", flush=True)
            download.download(row.url, path, _TIMEOUT.value, row.size)
        try:
            size, sha256 = _check(path, row, table_path)
        except cli.UserError as error:
            # A downloaded file is gone when somebody reads this.
            place = path if _ARCHIVE.value else row.url
            raise cli.UserError(str(error).replace(path, place)) from error
    changed = table.write_pin(table_path, row.name, sha256, size)
    print(f"{row.name}: {size} bytes, sha256 {sha256}")
    print(_COMPARE)
    if changed:
        print(f"{table_path}: pinned. Commit it, then build with --config=released.")
    else:
        print(f"{table_path}: was pinned to the same already.")
    if _ARCHIVE.value:
        print(f"The build finds the archive with --distdir={os.path.dirname(path) or '.'}")


if __name__ == "__main__":
    cli.run(main, positional=1)
