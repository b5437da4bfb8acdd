"""What the locks pin: each file by sha256, and the name under which a --distdir holds it."""

import collections
import hashlib
import json
import pathlib
import posixpath
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from tools.lib.cli import cli

# A row of a lock of wheels or source archives, as third_party/pip/wheels.bzl reads it.
PIP_ROW = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+) \\\n"
    r"    --hash=sha256:(?P<sha256>[0-9a-f]{64})\n"
    r"    # file: (?P<file>\S+)$",
    re.MULTILINE,
)


def files(third_party: pathlib.Path) -> list[pathlib.Path]:
    """Returns the paths of all locks, in order.

    Args:
      third_party: the folder that has them.
    """
    return sorted([*third_party.glob("*/*.lock"), *third_party.glob("*/*.lock.json")])


def digest(third_party: pathlib.Path) -> str:
    """Returns a sha256, in hexadecimal, of the text of all locks."""
    parts = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files(third_party)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _json_rows(value: Any) -> Iterator[tuple[str, str]]:
    """Yields name and sha256 of every file: Debian's rows name it, others say where it is."""
    if isinstance(value, dict) and value.get("sha256"):
        url = urllib.parse.urlsplit(value.get("url", ""))
        yield value.get("file") or posixpath.basename(url.path), value["sha256"]
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            yield from _json_rows(inner)


def names(third_party: pathlib.Path) -> dict[str, set[str]]:
    """Returns under which names a --distdir may hold each pinned file, by the file's sha256.

    That is the published name, if it is the name of one file only. Where several files have it, as
    checkpoints do, it is SHA256-NAME, for which third_party/checkpoints/released.bzl looks too.

    Args:
      third_party: the folder of the locks.

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
                raise cli.UserError(f"{path}:{error.lineno}: is no JSON: {error}.") from error
        else:
            rows = [(row["file"], row["sha256"]) for row in PIP_ROW.finditer(text)]
        for name, sha256 in rows:
            published[name].add(sha256)
    found: dict[str, set[str]] = collections.defaultdict(set)
    for name, digests in published.items():
        for sha256 in digests:
            found[sha256].add(name if len(digests) == 1 else f"{sha256}-{name}")
    return dict(found)
