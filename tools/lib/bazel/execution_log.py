"""Reads Bazel's JSON execution logs, action by action."""

import collections
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tools.lib.cli import cli

_BEGINNING = 1 << 10
FOREIGN = "is no execution log in JSON; let Bazel write one with --execution_log_json_file."
# An external repository's folder with this many files becomes one line: TensorFlow has 15,000, and
# every action that uses it lists them.
_MANY = 100
_FOLDER = re.compile(r"((?:external|.*\.runfiles)/[^/]+/[^/]+)/.+")


@dataclasses.dataclass(frozen=True)
class Action:
    """One executed action (a SpawnExec of Bazel's spawn.proto).

    Attributes:
      mnemonic: the kind of action.
      outputs: the declared outputs' paths, in order; with the mnemonic they name the action.
      arguments: the command line.
      environment: the environment variables.
      inputs: the digest of every input file, by path; a directory counts file by file.
      digests: the digest of every file that was written, by path.
      cache_hit: whether the outputs came out of a cache instead of being made.
    """

    mnemonic: str
    outputs: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: dict[str, str]
    inputs: dict[str, str]
    digests: dict[str, str]
    cache_hit: bool

    @property
    def name(self) -> str:
        return f"{self.mnemonic} {self.outputs[0] if self.outputs else ''}".strip()


def _entry(lines: list[bytes], path: str) -> dict:
    try:
        return json.loads(b"".join(lines))
    except ValueError as error:
        raise cli.UserError(
            f"{path}: not a whole execution log: {error}; was the build interrupted, or is it "
            "still running?"
        ) from error


def entries(path: str, advance: Callable[[int], object] = lambda _: None) -> Iterator[dict]:
    """Yields a log's entries one after the other; only one of them is in memory, some 6 MB.

    Bazel writes them as JSON objects, indented, without anything between them: a line that begins
    with a brace ends one.

    Args:
      path: the log that `--execution_log_json_file` wrote.
      advance: is told how many more bytes were read.

    Raises:
      cli.UserError: the file is missing, empty, cut off or no such log.
    """
    lines: list[bytes] = []
    found = 0
    try:
        with open(path, "rb") as stream:
            # A file of another kind may be one endless line.
            first = stream.read(_BEGINNING).lstrip()
            if not first:
                raise cli.UserError(
                    f"{path}: the execution log is empty: the build ran nothing, or was cut off."
                )
            if not re.match(rb"\{\s", first):
                raise cli.UserError(f"{path}: {FOREIGN}")
            stream.seek(0)
            for line in stream:
                if line.startswith(b"}"):
                    entry = _entry([*lines, b"}"], path)
                    if "mnemonic" not in entry:
                        raise cli.UserError(f"{path}: {FOREIGN}")
                    advance(sum(map(len, lines)) + 1)
                    found += 1
                    yield entry
                    lines = [line[1:]]
                else:
                    lines.append(line)
    except OSError as error:
        raise cli.UserError(
            f"{path}: the execution log cannot be read: {error.strerror}."
        ) from error
    if b"".join(lines).strip() or not found:
        _entry(lines, path)
        raise cli.UserError(f"{path}: {FOREIGN}")


def _digests(files: list[dict], path: str) -> dict[str, str]:
    """Returns every file's digest by its path.

    Bazel gives an empty file its digest too and lists a directory file by file. Only an unresolved
    symlink has none (spawn.proto); what counts of it is where it leads.
    """
    found = {}
    for file in files:
        target = file.get("symlinkTargetPath")
        digest = f"symlink to {target}" if target else file.get("digest", {}).get("hash")
        if not digest:
            raise cli.UserError(
                f"{path}: has no digest of {file['path']}, so it cannot be compared; build again."
            )
        found[file["path"]] = digest
    return found


def action(entry: Mapping[str, Any], path: str) -> Action:
    """Returns the action that an entry of the log `path` tells of.

    Raises:
      cli.UserError: a digest is missing.
    """
    return Action(
        mnemonic=entry["mnemonic"],
        outputs=tuple(entry.get("listedOutputs", [])),
        arguments=tuple(entry.get("commandArgs", [])),
        environment={
            variable["name"]: variable.get("value", "")
            for variable in entry.get("environmentVariables", [])
        },
        inputs=_digests(entry.get("inputs", []), path),
        digests=_digests(entry.get("actualOutputs", []), path),
        cache_hit=entry.get("cacheHit", False),
    )


def read(path: str, may_be_empty: bool = False) -> dict[tuple[str, tuple[str, ...]], Action]:
    """Reads the log that `--execution_log_json_file` wrote.

    Args:
      path: the log.
      may_be_empty: whether it is no mistake that nothing was executed.

    Returns:
      The actions by (mnemonic, outputs).

    Raises:
      cli.UserError: as of `entries` and `action`.
    """
    if may_be_empty and os.path.exists(path) and not os.path.getsize(path):
        return {}
    made = (action(entry, path) for entry in entries(path))
    return {(one.mnemonic, one.outputs): one for one in made}


def folders(inputs: Mapping[str, str]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Joins the files of big folders.

    Returns:
      The inputs, each big folder as one path with a digest of all that is in it; and the files of
      each such folder, by that digest.
    """
    by_folder: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for path, digest in inputs.items():
        match = _FOLDER.fullmatch(path)
        if match:
            by_folder[match[1]][path[len(match[1]) + 1 :]] = digest
    joined, listings = dict(inputs), {}
    for folder, files in by_folder.items():
        if len(files) < _MANY:
            continue
        text = "".join(f"{path}\0{digest}\n" for path, digest in sorted(files.items()))
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        listings[digest] = files
        for path in files:
            del joined[f"{folder}/{path}"]
        joined[folder] = digest
    return joined, listings
