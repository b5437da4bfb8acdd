"""Builds one target with a person's own Bazel and finds the files that it made."""

import dataclasses
import json
import pathlib
import subprocess
import tempfile
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tools.audit import bazel
from tools.cli import cli


@dataclasses.dataclass(frozen=True)
class Built:
    """What a target made.

    Attributes:
      label: the target that was built, behind any alias.
      files: paths by output group; "default" is what `bazel build` shows.
    """

    label: str
    files: Mapping[str, Sequence[str]]


def _files(number: str, sets: Mapping[str, Any]) -> list[str]:
    """The paths of the files in a set of Bazel's build events and in those that it refers to."""
    found, pending, seen = [], [number], set()
    while pending:
        number = pending.pop()
        if number in seen:
            continue
        seen.add(number)
        content = sets.get(number, {})
        for file in content.get("files", []):
            path = urllib.parse.urlsplit(file.get("uri", ""))
            if path.scheme == "file":
                found.append(urllib.parse.unquote(path.path))
        pending += [other["id"] for other in content.get("fileSets", [])]
    return found


def outputs(events: Iterable[Mapping[str, Any]]) -> list[Built]:
    """Returns what the targets of a build made.

    Args:
      events: the build events (Bazel's build_event_stream.proto, as JSON).
    """
    sets, completed = {}, []
    for event in events:
        if "namedSet" in event["id"]:
            sets[event["id"]["namedSet"]["id"]] = event.get("namedSetOfFiles", {})
        elif "targetCompleted" in event["id"]:
            completed.append(event)
    return [
        Built(
            label=event["id"]["targetCompleted"]["label"],
            files={
                group["name"]: [
                    path for part in group.get("fileSets", []) for path in _files(part["id"], sets)
                ]
                for group in event.get("completed", {}).get("outputGroup", [])
            },
        )
        for event in completed
    ]


def build(target: str, options: Sequence[str], groups: Sequence[str] = ()) -> Built:
    """Builds a target in the workspace in which a person called `bazel run`.

    Args:
      target: its label.
      options: further options for `bazel build`.
      groups: output groups that are built besides the default one, if the target has them.

    Raises:
      cli.UserError: the build failed, or was of more than one target.
    """
    with tempfile.TemporaryDirectory(prefix="build-events-") as folder:
        events = pathlib.Path(folder, "events.json")
        result = subprocess.run(
            [
                *bazel.command(),
                "build",
                *options,
                f"--build_event_json_file={events}",
                *(f"--output_groups=+{group}" for group in groups),
                "--",
                target,
            ],
            cwd=cli.workspace(),
            env=bazel.environment(),
            check=False,
        )
        if result.returncode:
            raise cli.UserError(f"{target}: cannot be built; Bazel's own words are above.")
        with open(events, encoding="utf-8") as stream:
            built = outputs(json.loads(line) for line in stream)
    if len(built) != 1:
        raise cli.UserError(f"{target}: these are {len(built)} targets; give the label of one.")
    return built[0]
