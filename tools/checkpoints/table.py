"""The pin table: published archives by name, URL, digest and tensor signatures."""

import dataclasses
import json
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from tools.cli import cli

_DIGEST_LENGTHS = {"md5": 32, "sha256": 64}
_SHA256 = re.compile(r'(\s*)("sha256"\s*:\s*)"[^"]*"')
_SIZE = re.compile(r'("size"\s*:\s*)(?:\d+|null)')


@dataclasses.dataclass(frozen=True)
class Row:
    """An archive of the table.

    Attributes:
      name: its name in the table.
      url: where it is published.
      size: its length in bytes; None when unknown.
      digests: hex digests by algorithm, "md5" or "sha256", as far as they are known.
      signatures: by a checkpoint's prefix inside the archive, the name of its signature's file.
    """

    name: str
    url: str
    size: int | None
    digests: Mapping[str, str]
    signatures: Mapping[str, str]


def find(path: str, name: str) -> Row:
    """Reads the row of one archive.

    Args:
      path: the table.
      name: the archive's name.

    Raises:
      UserError: the table cannot be read, has no such row, or the row is malformed.
    """
    archives = _parse(path, _read(path))["archives"]
    if name not in archives:
        known = ", ".join(sorted(archives)) or "none"
        raise cli.UserError(f"{path}: has no archive named {name!r}; it knows: {known}.")
    problem = _problem(archives[name])
    if problem:
        raise cli.UserError(f"{path}: the row of {name} is malformed: {problem}.")
    row = archives[name]
    return Row(
        name=name,
        url=row["url"],
        size=row.get("size"),
        digests={kind: row[kind].lower() for kind in _DIGEST_LENGTHS if row.get(kind)},
        signatures=row.get("signatures", {}),
    )


def write_pin(path: str, name: str, sha256: str, size: int) -> bool:
    """Puts an archive's digest and size into its row, and leaves every other character alone.

    The table is read again, because a download takes long enough for somebody to edit it meanwhile.

    Args:
      path: the table.
      name: the archive, which has a row.
      sha256: its hex digest.
      size: its length in bytes.

    Returns:
      Whether that changed the table.

    Raises:
      UserError: the table cannot be written, or is laid out in a way that cannot be edited.
    """
    before = _read(path)
    wanted = _parse(path, before)
    pin = {"sha256": sha256, "size": size}
    wanted["archives"].setdefault(name, {}).update(pin)
    after = _with_pin(before, name, sha256, size)
    if after is None or _parse(path, after) != wanted:
        raise cli.UserError(
            f"{path}: the row of {name} cannot be edited in place; write {json.dumps(pin)} into it."
        )
    if after == before:
        return False
    with cli.output_file(path) as stream:
        stream.write(after.encode())
    return True


def _read(path: str) -> str:
    try:
        return cli.read_file(path, "pin table").decode()
    except UnicodeDecodeError as error:
        raise cli.UserError(f"{path}: the pin table is not UTF-8 text.") from error


def _parse(path: str, text: str) -> dict[str, Any]:
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        raise cli.UserError(f"{path}:{error.lineno}: the pin table is no JSON: {error}.") from error
    if not isinstance(table, dict) or not isinstance(table.get("archives"), dict):
        raise cli.UserError(f'{path}: the pin table needs an object "archives".')
    return table


def _problem(row: Any) -> str | None:
    """Says what is wrong with a row, or returns None."""
    if not isinstance(row, dict) or not isinstance(row.get("url"), str):
        return 'it needs a text "url"'
    if "sha256" not in row:
        return 'it needs "sha256", which is "" when none is published'
    for kind, length in _DIGEST_LENGTHS.items():
        if not re.fullmatch(rf"([0-9a-fA-F]{{{length}}})?", str(row.get(kind, ""))):
            return f"{kind} is no {kind} of {length} hexadecimal digits"
    size = row.get("size")
    if size is not None and (type(size) is not int or size <= 0):
        return "size is no positive number of bytes"
    signatures = row.get("signatures", {})
    if not isinstance(signatures, dict):
        return '"signatures" is no object'
    for prefix, file in signatures.items():
        if posixpath.normpath(prefix) != prefix or prefix.startswith(("/", "..")):
            return f"the signature's prefix {prefix!r} is no path inside an archive"
        if not isinstance(file, str) or posixpath.basename(file) != file or not file:
            return f"the signature {file!r} is no file name"
    return None


def _with_pin(text: str, name: str, sha256: str, size: int) -> str | None:
    """Edits the text of a table; returns None when the row's place is not found."""
    key = re.search(re.escape(json.dumps(name, ensure_ascii=False)) + r"\s*:\s*(?={)", text)
    if key is None:
        return None
    _, end = json.JSONDecoder().raw_decode(text, key.end())
    row = text[key.end() : end]
    row, has_size = _SIZE.subn(rf"\g<1>{size}", row, count=1)
    added = "" if has_size else rf',\g<1>"size": {size}'
    row = _SHA256.sub(rf'\g<1>\g<2>"{sha256}"{added}', row, count=1)
    return text[: key.end()] + row + text[end:]
