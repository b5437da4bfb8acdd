"""Unpacks a .tar.zst, whose compression neither Bazel nor the packaged CPython supports.

    unpack_zstandard.py ARCHIVE FOLDER

A repository rule runs it with the package zstandard on PYTHONPATH. It has checked the archive's
digest, so the paths in the archive are trusted.
"""

import sys
import tarfile

import zstandard


def unpack(archive: str, folder: str) -> None:
    """Unpacks a trusted archive into a folder.

    Raises:
      OSError, tarfile.TarError, zstandard.ZstdError: the archive is damaged.
    """
    with open(archive, "rb") as packed:
        with zstandard.ZstdDecompressor().stream_reader(packed) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                tar.extractall(folder)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: unpack_zstandard.py ARCHIVE FOLDER")
    try:
        unpack(*sys.argv[1:])
    except (OSError, tarfile.TarError, zstandard.ZstdError) as error:
        sys.exit(f"the archive cannot be unpacked: {error}")


if __name__ == "__main__":
    main()
