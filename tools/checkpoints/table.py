"""The pin table: published checkpoints with their URLs, digests and tensor signatures.

A row is one archive, one file, or a folder of several files:

    "NAME": {
      "licence": "Apache-2.0",
      "files": [{"path": "model.pb", "url": "https://...", "sha256": "", "md5": "", "size": 1}],
      "signatures": {"variables/variables": "SIGNATURE.tsv"}
    }

`path` is the file's path in the folder; an archive has none and is unpacked. "sha256" is "" as long
as it is not known. `md5`, `size` and `signatures` are optional; `signatures` has the name of the
signature file by the checkpoint's prefix.
"""

import dataclasses
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.cli import cli

_DIGEST_LENGTHS = {"md5": 32, "sha256": 64}
_FILE_KEYS = ("path", "url", "sha256", "md5", "size")
_ROW_KEYS = ("licence", "files", "signatures")


@dataclasses.dataclass(frozen=True)
class File:
    """A file to download.

    Attributes:
      url: where it is published.
      path: its path in the row's folder; None for an archive.
      size: its length in bytes; None if it is not known.
      digests: the known hex digests by algorithm, "md5" or "sha256".
    """

    url: str
    path: str | None
    size: int | None
    digests: Mapping[str, str]

    @property
    def name(self) -> str:
        """The file's name in a --distdir."""
        return posixpath.basename(self.url)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
      name: its name in the table.
      files: one archive, or files with a path each.
      signatures: names of signature files, by the checkpoint's prefix in the archive or folder.
    """

    name: str
    files: Sequence[File]
    signatures: Mapping[str, str]

    @property
    def is_archive(self) -> bool:
        """Whether the row is one archive, which is unpacked."""
        return self.files[0].path is None


def find(path: str, name: str) -> Row:
    """Reads one row.

    Raises:
      cli.UserError: the table cannot be read, has no such row, or the row is malformed.
    """
    rows = _read(path)
    if name not in rows:
        known = ", ".join(sorted(rows)) or "none"
        raise cli.UserError(f"{path}: has no row named {name!r}; its rows are: {known}.")
    row = rows[name]
    problem = _problem(row)
    if problem:
        raise cli.UserError(f"{path}: the row of {name} is malformed: {problem}.")
    files = [
        File(
            url=file["url"],
            path=file.get("path"),
            size=file.get("size"),
            digests={kind: file[kind] for kind in _DIGEST_LENGTHS if file.get(kind)},
        )
        for file in row["files"]
    ]
    return Row(name=name, files=files, signatures=row.get("signatures", {}))


def write_pins(path: str, name: str, pins: Mapping[str, tuple[str, int]]) -> bool:
    """Writes sha256 and length in bytes of every file, by URL, into a row.

    The table is read again, because somebody may have edited it during a long download.

    Returns:
      Whether the table changed.

    Raises:
      cli.UserError: the table cannot be written, or the row has other files now.
    """
    rows = _read(path)
    row = rows.get(name, {})
    if _problem(row) or {file["url"] for file in row["files"]} != pins.keys():
        raise cli.UserError(f"{path}: the row of {name} changed during the download; pin it again.")
    files = []
    for file in row["files"]:
        sha256, size = pins[file["url"]]
        file = file | {"sha256": sha256, "size": size}
        files.append({key: file[key] for key in _FILE_KEYS if key in file})
    if files == row["files"]:
        return False
    row["files"] = files
    with cli.output_file(path, "w") as stream:
        stream.write(formatted(rows))
    return True


def formatted(rows: Mapping[str, Any]) -> str:
    """Returns the text of a table in its fixed layout."""
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _read(path: str) -> dict[str, Any]:
    try:
        rows = json.loads(cli.read_file(path, "pin table").decode())
    except UnicodeDecodeError as error:
        raise cli.UserError(f"{path}: the pin table is not UTF-8 text.") from error
    except json.JSONDecodeError as error:
        raise cli.UserError(
            f"{path}:{error.lineno}: the pin table is not valid JSON: {error}."
        ) from error
    if not isinstance(rows, dict):
        raise cli.UserError(f"{path}: the pin table must be an object of rows by name.")
    return rows


def _problem(row: Any) -> str | None:
    """Returns what is wrong with a row, or None."""
    if not isinstance(row, dict) or not set(row) <= set(_ROW_KEYS):
        return f"it is not an object of {', '.join(_ROW_KEYS)}"
    if not isinstance(row.get("licence"), str):
        return 'it needs a string "licence"'
    files = row.get("files")
    if not isinstance(files, list) or not files:
        return '"files" is not a list of at least one file'
    for file in files:
        problem = _file_problem(file)
        if problem:
            return problem
    for key in ("url", "path"):
        values = [file.get(key) for file in files]
        if len(set(values)) != len(values):
            return f"two files have the same {key}"
    if len(files) > 1 and not all("path" in file for file in files):
        return 'an archive (a file without "path") must be the only file'
    signatures = row.get("signatures", {})
    if not isinstance(signatures, dict):
        return '"signatures" is not an object'
    for prefix, file in signatures.items():
        if not _is_inside(prefix):
            return f"the signature's prefix {prefix!r} is not a path inside an archive or folder"
        if not isinstance(file, str) or posixpath.basename(file) != file or not file:
            return f"the signature {file!r} is not a file name"
    return None


def _file_problem(file: Any) -> str | None:
    if not isinstance(file, dict) or not set(file) <= set(_FILE_KEYS):
        return f"a file is not an object of {', '.join(_FILE_KEYS)}"
    if not isinstance(file.get("url"), str) or not posixpath.basename(file["url"]):
        return 'a file needs a string "url" that ends in a name'
    if "path" in file and not _is_inside(file["path"]):
        return f"the path {file['path']!r} is not a path inside a folder"
    if "sha256" not in file:
        return 'a file needs "sha256", which is "" if it is not known'
    for kind, length in _DIGEST_LENGTHS.items():
        if not re.fullmatch(rf"([0-9a-f]{{{length}}})?", str(file.get(kind, ""))):
            return f"{kind} must have {length} lower-case hexadecimal digits"
    size = file.get("size")
    if size is not None and (type(size) is not int or size <= 0):
        return "size is not a positive number of bytes"
    return None


def _is_inside(path: Any) -> bool:
    """Returns whether a path is normalized and stays inside its folder."""
    return (
        isinstance(path, str)
        and posixpath.normpath(path) == path
        and path not in (".", "..")
        and not path.startswith(("/", "../"))
    )
