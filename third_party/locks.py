"""Reads the locks: the sha256 of each pinned file, and its name in a --distdir."""

import collections
import hashlib
import json
import pathlib
import posixpath
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from reproducible_tflite.lib.cli import cli

# A row of a lock of wheels or source archives, as third_party/pip/wheels.bzl reads it.
PIP_ROW = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+) \\\n"
    r"    --hash=sha256:(?P<sha256>[0-9a-f]{64})\n"
    r"    # file: (?P<file>\S+)$",
    re.MULTILINE,
)


def files(third_party: pathlib.Path) -> list[pathlib.Path]:
    """Returns the sorted paths of all locks."""
    return sorted([*third_party.glob("*/*.lock"), *third_party.glob("*/*.lock.json")])


def digest(third_party: pathlib.Path) -> str:
    """Returns a sha256, in hexadecimal, over the contents of all locks."""
    parts = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files(third_party)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _json_rows(value: Any) -> Iterator[tuple[str, str]]:
    """Yields the name and sha256 of every file; rows without a name have it in their URL."""
    if isinstance(value, dict) and value.get("sha256"):
        url = urllib.parse.urlsplit(value.get("url", ""))
        yield value.get("file") or posixpath.basename(url.path), value["sha256"]
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            yield from _json_rows(inner)


def names(third_party: pathlib.Path) -> dict[str, set[str]]:
    """Returns the possible names of each pinned file in a --distdir, by the file's sha256.

    This is the published name if only one file has it. If several files do, as with checkpoints, it
    is SHA256-NAME, which third_party/checkpoints/released.bzl looks for too.

    Raises:
      cli.UserError: a lock cannot be read.
    """
    published: dict[str, set[str]] = collections.defaultdict(set)
    for path in files(third_party):
        text = cli.read_file(str(path), "lock").decode("utf-8")
        if path.suffix == ".json":
            try:
                rows = list(_json_rows(json.loads(text)))
            except json.JSONDecodeError as error:
                raise cli.UserError(f"{path}:{error.lineno}: not JSON: {error}.") from error
        else:
            rows = [(row["file"], row["sha256"]) for row in PIP_ROW.finditer(text)]
        for name, sha256 in rows:
            published[name].add(sha256)
    by_digest: dict[str, set[str]] = collections.defaultdict(set)
    for name, digests in published.items():
        for sha256 in digests:
            by_digest[sha256].add(name if len(digests) == 1 else f"{sha256}-{name}")
    return dict(by_digest)
