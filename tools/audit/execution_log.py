"""Reads Bazel's JSON execution logs, action by action."""

import dataclasses
import json
import os
from collections.abc import Iterator

from tools.cli import cli


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


def _objects(text: str, path: str) -> Iterator[dict]:
    """Yields the objects of a log, which stand one after the other without separators."""
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        try:
            value, position = decoder.raw_decode(text, position)
        except ValueError as error:
            raise cli.UserError(f"{path}: not a whole execution log: {error}.") from error
        yield value


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


def read(path: str, may_be_empty: bool = False) -> dict[tuple[str, tuple[str, ...]], Action]:
    """Reads the log that `--execution_log_json_file` wrote.

    Args:
      path: the log.
      may_be_empty: whether it is no mistake that nothing was executed.

    Returns:
      The actions by (mnemonic, outputs).

    Raises:
      cli.UserError: the file is missing, empty or cut off, or lacks a digest.
    """
    if may_be_empty and os.path.exists(path) and not os.path.getsize(path):
        return {}
    text = cli.read_file(path, "execution log").decode("utf-8")
    actions = {}
    for value in _objects(text, path):
        action = Action(
            mnemonic=value.get("mnemonic", ""),
            outputs=tuple(value.get("listedOutputs", [])),
            arguments=tuple(value.get("commandArgs", [])),
            environment={
                variable["name"]: variable.get("value", "")
                for variable in value.get("environmentVariables", [])
            },
            inputs=_digests(value.get("inputs", []), path),
            digests=_digests(value.get("actualOutputs", []), path),
            # Bazel 7 calls it cacheHit.
            cache_hit=value.get("remoteCacheHit", False) or value.get("cacheHit", False),
        )
        actions[action.mnemonic, action.outputs] = action
    return actions
