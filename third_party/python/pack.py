"""Packs a folder of installed Python packages: modules into one archive, the rest stays as it is.

usage: pack.py FOLDER ARCHIVE

Every module goes into ARCHIVE with its bytecode beside it, and what importlib.metadata reads. Of
what is left, licences are put together into FOLDER/LICENCES.txt, and what only building or checking
types needs is dropped. The archive is the same bytes for the same files: in order, without times.
Runs while Bazel fetches: standard library only.
"""

import os
import pathlib
import re
import sys
import zipfile
from collections.abc import Sequence

# Stubs, headers, sources of extension modules, archives for linkers, notes for their authors.
_FOR_BUILDING = re.compile(
    r".*\.(?:pyi|pxd|pyx|pxi|h|hpp|c|cc|cpp|cu|a|build|pth|rst|md|cmake|ini|ps1|fish)|py\.typed|zip-safe|CMakeLists\.txt|eigen"
)
_METADATA = re.compile(r"[^/]+\.(?:dist|egg)-info/.*")
_LICENCE = re.compile(r".*(?:licen[cs]e|copying|notice|authors|copyright).*", re.IGNORECASE)
# The first moment that the format can state.
_TIME = (1980, 1, 1, 0, 0, 0)


def inside(path: str) -> str | None:
    """Returns where a file goes in the archive, None if it does not.

    Args:
      path: relative to the folder, as `a/__pycache__/b.cpython-311.pyc`.
    """
    folder, name = os.path.split(path)
    if os.path.basename(folder) == "__pycache__":
        return os.path.join(os.path.dirname(folder), name.partition(".")[0] + ".pyc")
    if name.endswith(".py"):
        return path
    return path if _METADATA.fullmatch(path) and name in ("METADATA", "entry_points.txt") else None


def pack(folder: pathlib.Path, archive: pathlib.Path) -> None:
    """Moves modules and metadata of packages into the archive and drops what no run reads."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != archive)
    members, licences = {}, []
    for path in files:
        relative = path.relative_to(folder).as_posix()
        member = inside(relative)
        if member:
            members[member] = path
        elif _LICENCE.fullmatch(path.name) and not path.name.endswith(".so"):
            licences.append(path)
        elif _METADATA.fullmatch(relative) or _FOR_BUILDING.fullmatch(path.name):
            path.unlink()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        # zipimport takes for a package without an __init__ what the archive has as a folder.
        for name in sorted(
            {str(name) for path in members for name in pathlib.Path(path).parents} - {"."}
        ):
            packed.writestr(zipfile.ZipInfo(name + "/", _TIME), b"")
        for member, path in sorted(members.items()):
            packed.writestr(zipfile.ZipInfo(member, _TIME), path.read_bytes())
            path.unlink()
    if licences:
        texts = {}
        for path in licences:
            texts.setdefault(path.read_bytes(), []).append(path.relative_to(folder).as_posix())
            path.unlink()
        with open(folder / "LICENCES.txt", "wb") as stream:
            for text, names in texts.items():
                heading = "".join(f"== {name}\n" for name in names)
                stream.write(heading.encode() + text.rstrip() + b"\n\n")
    for directory, _, _ in os.walk(folder, topdown=False):
        if directory != str(folder) and not os.listdir(directory):
            os.rmdir(directory)


def main(argv: Sequence[str]) -> None:
    folder, archive = map(pathlib.Path, argv[1:])
    pack(folder, archive)


if __name__ == "__main__":
    main(sys.argv)
