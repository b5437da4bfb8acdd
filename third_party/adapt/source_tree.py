"""Reads files from a pinned archive, applies declared replacements, and writes them as a tree.

It runs while Bazel fetches, before any package is installed, so it uses the standard library only.
Archives are never extracted to disk, so a member's name has no effect before it is checked. The
written tree depends on the files' contents only, not on times, modes or the order of members.
"""

import dataclasses
import os
import pathlib
import re
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence


class AdaptError(Exception):
    """The archive does not fit the adaptation; the text is one sentence."""


@dataclasses.dataclass(frozen=True)
class Replacement:
    """A declared change of a file.

    Attributes:
      path: the file in the tree, with "/" separators.
      old: the text to replace, or a pattern of it.
      new: its replacement.
      times: the exact number of occurrences of `old`.
    """

    path: str
    old: str | re.Pattern[str]
    new: str
    times: int = 1


def safe_name(archive: str, name: str) -> str:
    """Returns a member's name as a relative path that stays inside the tree.

    Raises:
      AdaptError: the name is absolute, or contains ".." or a backslash.
    """
    parts = pathlib.PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name:
        raise AdaptError(f"{archive}: member {name!r} would leave the output directory; refused.")
    return "/".join(parts)


def _tar_members(archive: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            if member.isdir():
                continue
            if not member.isreg():
                raise AdaptError(
                    f"{archive}: member {member.name!r} is a link or a device; refused."
                )
            yield member.name, lambda member=member: tar.extractfile(member).read()


def _zip_members(archive: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with zipfile.ZipFile(archive) as wheel:
        for member in wheel.infolist():
            # The high half of external_attr is the Unix mode; 0o120000 marks a symbolic link.
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise AdaptError(
                    f"{archive}: member {member.filename!r} is a link or a device; refused."
                )
            if not member.is_dir():
                yield member.filename, lambda member=member: wheel.read(member)


def read_archive(archive: str, place: Callable[[str], str | None]) -> dict[str, bytes]:
    """Reads selected files of a .tar.gz or a wheel.

    Args:
      archive: path of the archive.
      place: maps a member's name to its path in the tree, or None to leave it out.

    Returns:
      Contents by path in the tree.

    Raises:
      AdaptError: the archive is missing or damaged, has an unsafe member, or has two members for
        the same path.
    """
    files: dict[str, bytes] = {}
    try:
        members = _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)
        for name, read in members:
            path = place(safe_name(archive, name))
            if path is None:
                continue
            if path in files:
                raise AdaptError(f"{archive}: two members would become {path}.")
            files[path] = read()
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise AdaptError(f"{archive}: cannot be read as an archive: {error}.") from error
    return files


def require(archive: str, files: Mapping[str, bytes], paths: Iterable[str]) -> None:
    """Raises AdaptError if one of `paths` is not in the archive."""
    missing = sorted(set(paths) - set(files))
    if missing:
        raise AdaptError(f"{archive}: has no {missing[0]}; is it the pinned version?")


def replace(files: Mapping[str, bytes], replacements: Sequence[Replacement]) -> dict[str, bytes]:
    """Applies the replacements in order and returns the changed files.

    Raises:
      AdaptError: a file is absent, or its text does not occur exactly as often as stated.
    """
    changed = dict(files)
    for replacement in replacements:
        if replacement.path not in changed:
            raise AdaptError(f"{replacement.path}: not in the archive, so it cannot be adapted.")
        text = changed[replacement.path].decode("utf-8")
        old, new = replacement.old, replacement.new
        pattern = re.escape(old) if isinstance(old, str) else old
        text, occurrences = re.subn(pattern, lambda _, new=new: new, text)
        if occurrences != replacement.times:
            raise AdaptError(
                f"{replacement.path}: expected {replacement.times} x {old!r}, found"
                f" {occurrences}; the adaptation was written for another version."
            )
        changed[replacement.path] = text.encode("utf-8")
    return changed


def write_tree(files: Mapping[str, bytes], directory: str) -> None:
    """Writes the files below `directory`, which must be empty or missing.

    Raises:
      AdaptError: the directory is not empty.
    """
    if os.path.isdir(directory) and os.listdir(directory):
        raise AdaptError(f"{directory}: is not empty; give a new directory.")
    for path in sorted(files):
        target = os.path.join(directory, *path.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as stream:
            stream.write(files[path])


def adapt_wheel(
    place: Callable[[str], str | None], replacements: Sequence[Replacement]
) -> Callable[[], None]:
    """Returns the `main` of an adapter that only places and replaces: `adapt.py WHEEL OUTPUT`.

    Args:
      place: see `read_archive`.
      replacements: the changes; the wheel must have all their files.
    """

    def main() -> None:
        if len(sys.argv) != 3:
            raise AdaptError("usage: adapt.py WHEEL OUTPUT.")
        wheel, output = sys.argv[1:]
        files = read_archive(wheel, place)
        require(wheel, files, [replacement.path for replacement in replacements])
        write_tree(replace(files, replacements), output)

    return main


def run(main: Callable[[], None]) -> None:
    """Runs `main`; an AdaptError ends the process with its sentence and exit code 1."""
    try:
        main()
    except AdaptError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        sys.exit(1)
