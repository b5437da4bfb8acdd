"""Packs the modules of installed Python packages into an archive.

usage: pack.py FOLDER ARCHIVE

Modules with their bytecode, and the files that importlib.metadata reads, go into ARCHIVE. Licences
are combined in FOLDER/LICENCES.txt, and files that are needed only for building or type checking
are removed. Other files stay. The archive is sorted and has no times, so the same files give the
same bytes. The program runs while Bazel fetches, so it uses the standard library only.
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
# The earliest time in the format.
_TIME = (1980, 1, 1, 0, 0, 0)


def inside(path: str) -> str | None:
    """Returns a file's path in the archive; None if it does not belong there.

    Args:
      path: relative to the folder, such as `a/__pycache__/b.cpython-311.pyc`.
    """
    folder, name = os.path.split(path)
    if os.path.basename(folder) == "__pycache__":
        return os.path.join(os.path.dirname(folder), name.partition(".")[0] + ".pyc")
    if name.endswith(".py"):
        return path
    return path if _METADATA.fullmatch(path) and name in ("METADATA", "entry_points.txt") else None


def pack(folder: pathlib.Path, archive: pathlib.Path) -> None:
    """Moves modules and metadata of packages into the archive and removes files that no run reads.

    Args:
      folder: the folder of the packages.
      archive: the archive to write.
    """
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
        # For zipimport, a package without an __init__ must have its own folder entry.
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
