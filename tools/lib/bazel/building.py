"""Builds with the user's own Bazel and finds the outputs."""

import dataclasses
import json
import os
import pathlib
import tempfile
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.bazel import client
from reproducible_tflite.lib.cli import cli

# How a step ends that refuses its input, and how the line with the reason begins.
_REFUSED, _ERROR = 1, "ERROR: "


@dataclasses.dataclass(frozen=True)
class Built:
    """The outputs of a target.

    Attributes:
      label: the target that was built, or its alias if that was named.
      files: paths by output group; "default" is what `bazel build` shows.
    """

    label: str
    files: Mapping[str, Sequence[str]]


def _files(number: str, sets: Mapping[str, Any]) -> list[str]:
    """Returns the paths of the files in a file set of the build events and in its nested sets."""
    paths, pending, seen = [], [number], set()
    while pending:
        number = pending.pop()
        if number in seen:
            continue
        seen.add(number)
        content = sets.get(number, {})
        for file in content.get("files", []):
            path = urllib.parse.unquote(urllib.parse.urlsplit(file["uri"]).path)
            if not os.path.exists(path):
                raise cli.UserError(
                    f"{path}: was built but not downloaded; put `build"
                    " --remote_download_outputs=toplevel` last into user.bazelrc."
                )
            paths.append(path)
        pending += [other["id"] for other in content.get("fileSets", [])]
    return paths


def outputs(events: Iterable[Mapping[str, Any]]) -> list[Built]:
    """Returns the outputs of a build's targets, from its build events as JSON."""
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


def refusals(events: Iterable[Mapping[str, Any]], targets: Sequence[str]) -> dict[str, str]:
    """Returns why steps refused targets, in one line each, from build events as JSON.

    A step that was killed, or ended with another exit code than a refusal's, refused nothing.

    Args:
      events: the events of a build with --keep_going.
      targets: their labels. What fails may also be a part of one, such as `//x:y.raw` of `//x:y`.
    """
    whys = {}
    for event in events:
        failed = event["id"].get("actionCompleted")
        # The action's own exit code is Bazel's.
        spawn = event.get("action", {}).get("failureDetail", {}).get("spawn", {})
        if not failed or spawn.get("spawnExitCode") != _REFUSED:
            continue
        owners = [it for it in targets if f"{failed['label']}.".startswith(f"{it}.")]
        log = urllib.parse.urlsplit(event["action"].get("stderr", {}).get("uri", "")).path
        if owners and log:
            words = cli.read_file(urllib.parse.unquote(log), "log").decode("utf-8", "replace")
            for line in words.splitlines():
                if line.startswith(_ERROR):
                    whys.setdefault(owners[0], line.removeprefix(_ERROR))
    return whys


def models(patterns: Sequence[str], options: Sequence[str] = ()) -> list[str]:
    """Returns the labels of the models that match patterns.

    These are `tflite_model`, `tflite_file` and `quantized_model`.

    Args:
      patterns: Bazel's target patterns; a filegroup or an alias stands for its targets.
      options: the options of the models' build.

    Raises:
      cli.UserError: Bazel rejects a pattern, or no model matches.
    """
    names = " ".join(patterns)
    # No deeper than the aliases in a filegroup, because a deeper query would fetch archives.
    query = f"kind('_tflite_(model|file|quantized) rule', deps(set({names}), 2))"
    labels = client.query(options, "--noimplicit_deps", query).split()
    if not labels:
        raise cli.UserError(f"{names}: no model is among these targets.")
    return labels


def build_all(
    targets: Sequence[str],
    options: Sequence[str],
    groups: Sequence[str] = (),
    workspace: str | None = None,
    startup_options: Sequence[str] = (),
) -> list[Built]:
    """Builds targets.

    Args:
      targets: labels or patterns.
      options: further options for `bazel build`.
      groups: output groups that are built besides the default one, if the targets have them.
      workspace: the workspace; None for the one in which `bazel run` was called.
      startup_options: Bazel's startup options besides those of --bazel.

    Raises:
      cli.UserError: the build failed, or left its outputs on another machine.
    """
    code, events = _build(targets, options, groups, workspace, startup_options)
    if code:
        raise cli.UserError(f"{' '.join(targets)}: cannot be built; Bazel's own words are above.")
    return outputs(events)


def attempt_all(
    targets: Sequence[str], options: Sequence[str], groups: Sequence[str] = ()
) -> tuple[list[Built], dict[str, str]]:
    """Builds those targets that can be built; the arguments are those of `build_all`.

    Returns:
      What was built, and of every other target why a step refused it, see `refusals`.

    Raises:
      cli.UserError: a target failed for another reason, or outputs are on another machine.
    """
    _, events = _build(targets, [*options, "--keep_going"], groups)
    whole = {
        event["id"]["targetCompleted"]["label"]
        for event in events
        if event.get("completed", {}).get("success")
    }
    built = [one for one in outputs(events) if one.label in whole]
    missing = [target for target in targets if target not in whole]
    whys = refusals(events, missing)
    if unexplained := [target for target in missing if target not in whys]:
        raise cli.UserError(
            f"{' '.join(unexplained)}: cannot be built, and no step refused it; Bazel's own words"
            " are above."
        )
    return built, whys


def _build(
    targets: Sequence[str],
    options: Sequence[str],
    groups: Sequence[str],
    workspace: str | None = None,
    startup_options: Sequence[str] = (),
) -> tuple[int, list[Mapping[str, Any]]]:
    """Calls `bazel build`; returns its exit code and its build events."""
    with tempfile.TemporaryDirectory(prefix="build-events-") as folder:
        events = pathlib.Path(folder, "events.json")
        arguments = [
            *startup_options,
            "build",
            *options,
            f"--build_event_json_file={events}",
            # Otherwise the events name files by their addresses in a remote cache that uses gRPC.
            "--nobuild_event_json_file_path_conversion",
            *(f"--output_groups=+{group}" for group in groups),
            "--",
            *targets,
        ]
        code = client.call(arguments, workspace).returncode
        if code and not events.exists():
            return code, []
        with open(events, encoding="utf-8") as stream:
            return code, [json.loads(line) for line in stream]


def build(target: str, options: Sequence[str], groups: Sequence[str] = ()) -> Built:
    """Builds one target; see `build_all`.

    Raises:
      cli.UserError: see `build_all`; or the pattern matches several targets.
    """
    built = build_all([target], options, groups)
    if len(built) != 1:
        raise cli.UserError(f"{target}: these are {len(built)} targets; give the label of one.")
    return built[0]
