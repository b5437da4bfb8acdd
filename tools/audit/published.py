"""The published files of models, listed by digest in `models/published.lock.json`."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from reproducible_tflite.lib.cli import cli


@dataclasses.dataclass(frozen=True)
class StructureDiffers:
    """How the structure of our target differs from that of the published file.

    Attributes:
      ours: the digest of our target's structure.
      what: what differs, for people.
    """

    ours: str
    what: str


@dataclasses.dataclass(frozen=True)
class Published:
    """A published file.

    Attributes:
      model: the target in //models that corresponds to it; None if there is none.
      file: the file's name.
      url: where it is published.
      md5: its MD5 in hexadecimal, if a publisher states it; else None.
      sha256: its SHA-256, likewise.
      size: its size in bytes if known, else None.
      stated_in: the source that states the digest.
      structure: the digest of its structure (tools/lib/meaning/structure.py); None if nobody here
        had the file.
      structure_differs: None if `model` has that structure, whatever its weights.
    """

    model: str | None
    file: str
    url: str
    md5: str | None
    sha256: str | None
    size: int | None
    stated_in: str
    structure: str | None = None
    structure_differs: StructureDiffers | None = None

    def is_file(self, digests: "Digests") -> bool:
        """Whether a file with these digests is the published one."""
        return (
            bool(self.sha256 or self.md5)
            and self.sha256 in (None, digests.sha256)
            and self.md5 in (None, digests.md5)
            and self.size in (None, digests.size)
        )


@dataclasses.dataclass(frozen=True)
class Digests:
    """The digests and the size of a file."""

    md5: str
    sha256: str
    size: int


def digests(content: bytes) -> Digests:
    """Returns the digests of a file, including MD5, because publishers state it."""
    return Digests(
        md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )


def _row(value: dict[str, Any]) -> Published:
    keys = {field.name: value.get(field.name) for field in dataclasses.fields(Published)}
    if value.keys() - keys.keys() or not (keys["file"] and keys["url"]):
        raise ValueError(f"a row has the fields {sorted(value)}")
    if keys["structure_differs"] is not None:
        keys["structure_differs"] = StructureDiffers(**keys["structure_differs"])
    return Published(**keys)


def read(path: str) -> list[Published]:
    """Reads the lock of published files.

    Raises:
      cli.UserError: it is missing or malformed.
    """
    content = cli.read_file(path, "lock of published files")
    try:
        return [_row(value) for value in json.loads(content)["files"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise cli.UserError(
            f"{path}: not a lock of published files: {cli.first_line(error)}."
        ) from error


def identify(rows: Iterable[Published], file_digests: Digests) -> Published | None:
    """Returns the published file that has these digests, or None."""
    return next((row for row in rows if row.is_file(file_digests)), None)
