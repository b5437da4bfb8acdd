"""The record of a built target: its actions by digests, small enough to keep for all models."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

from reproducible_tflite.lib.bazel import execution_log
from reproducible_tflite.lib.cli import cli

Key = tuple[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Leak:
    """A file that an action read although no input declares it.

    Attributes:
      action: the action's name.
      path: the file's path; "<output base>", "<workspace>" and "<round>" stand for folders that
        differ between rounds.
      digest: the sha256 of its content after the build; "" if it could not be read then.
    """

    action: str
    path: str
    digest: str


@dataclasses.dataclass(frozen=True)
class Record:
    """A built target.

    Attributes:
      target: its label.
      seconds: how long Bazel took.
      outputs: the paths of the target's own files.
      sizes: the bytes of every file that its actions wrote, by path.
      actions: the actions that ran, by (mnemonic, outputs), in Bazel's order.
      leaks: the undeclared files that its actions read; empty if nothing was traced.
      traced: how many of the actions were traced.
    """

    target: str
    seconds: float
    outputs: tuple[str, ...]
    sizes: dict[str, int]
    actions: dict[Key, execution_log.Action]
    leaks: tuple[Leak, ...] = ()
    traced: int = 0


def write(record: Record, path: pathlib.Path, listings: pathlib.Path) -> None:
    """Writes a record; the files of each big folder are listed once, in a file named by digest."""
    actions = []
    for action in record.actions.values():
        inputs, folders = execution_log.folders(action.inputs)
        actions.append(dataclasses.asdict(action) | {"inputs": inputs})
        for digest, files in folders.items():
            if not (listings / digest).exists():
                with cli.output_file(str(listings / digest), "w") as stream:
                    json.dump(files, stream)
    document = dataclasses.asdict(dataclasses.replace(record, actions={})) | {"actions": actions}
    with cli.output_file(str(path), "w") as stream:
        json.dump(document, stream, indent=1)


def read(path: pathlib.Path) -> Record:
    """Reads a record.

    Raises:
      cli.UserError: the file is not a record.
    """
    try:
        document = json.loads(cli.read_file(str(path), "record of a build"))
        rows = [
            execution_log.Action(
                **row | {"outputs": tuple(row["outputs"]), "arguments": tuple(row["arguments"])}
            )
            for row in document.pop("actions")
        ]
        leaks = tuple(Leak(**row) for row in document.pop("leaks"))
        document["outputs"] = tuple(document["outputs"])
        actions = {(action.mnemonic, action.outputs): action for action in rows}
        return Record(**document | {"actions": actions, "leaks": leaks})
    except (ValueError, KeyError, TypeError) as error:
        raise cli.UserError(
            f"{path}: is not a record of a build ({error!r}); remove it and call the audit again."
        ) from error


def merged(records: Sequence[Record]) -> dict[Key, execution_log.Action]:
    """Returns the actions of all targets, each once: targets share actions."""
    actions = {}
    for record in records:
        for key, action in record.actions.items():
            actions.setdefault(key, action)
    return actions


def sizes(
    actions: Mapping[Key, execution_log.Action], execution_root: pathlib.Path
) -> dict[str, int]:
    """Returns the bytes of every file that actions wrote."""
    paths = {path for action in actions.values() for path in action.digests}
    return {path: (execution_root / path).lstat().st_size for path in sorted(paths)}


@dataclasses.dataclass(frozen=True)
class Closure:
    """What a target was built from.

    Attributes:
      ends: the sha256 of the target's own files, by path.
      actions: the names of all actions behind it, including those in other targets' records.
      size: the bytes of `ends`.
      total: the bytes that all those actions wrote.
    """

    ends: dict[str, str]
    actions: frozenset[str]
    size: int
    total: int


def closures(records: Sequence[Record]) -> dict[str, Closure]:
    """Returns what each target was built from; a shared action is in one record only."""
    actions = merged(records)
    makers = {path: action for action in actions.values() for path in action.digests}
    size = {path: bytes_ for record in records for path, bytes_ in record.sizes.items()}
    closures_by_target = {}
    for record in records:
        # Files that Bazel writes itself, without a program, are not in the log.
        ends = {path: makers[path].digests[path] for path in record.outputs if path in makers}
        taken: dict[str, execution_log.Action] = {}
        pending = list(ends)
        while pending:
            action = makers.get(pending.pop())
            if action and action.name not in taken:
                taken[action.name] = action
                pending += action.inputs
        wrote = [path for action in taken.values() for path in action.digests]
        closures_by_target[record.target] = Closure(
            ends=ends,
            actions=frozenset(taken),
            size=sum(size[path] for path in ends),
            total=sum(size[path] for path in wrote),
        )
    return closures_by_target
