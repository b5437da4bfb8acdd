"""Checks every action behind the models: its inputs, command, environment and execution info.

    bazel run //tests/hermeticity:check_actions            asks Bazel itself
    bazel run //tests/hermeticity:check_actions -- FILE    reads the output of `bazel aquery`

FILE is the output of `bazel aquery --output=jsonproto --include_param_files QUERY`, with `QUERY` as
below. `faults` lists the checks.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import dataclasses
import functools
import json
import pathlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.bazel import client
from reproducible_tflite.lib.cli import cli

# deps() does not follow toolchains, so the query names their programs, except for the one whose
# CPython is not on every machine.
QUERY = "deps(//models:all_models) union deps(//tools/steps/convert:on_python_3_11)"

# The repositories that third_party/ pins by digest, one a line.
_PINNED = pathlib.Path(__file__).with_name("pinned_repositories.txt")
# Bazel's own script, which it puts before every genrule's command.
_GENRULE_SETUP = "external/bazel_tools/tools/genrule/genrule-setup.sh"
_GENRULE_SHELL = ["/bin/bash", "-c"]
# PATH is what --incompatible_strict_action_env sets. Rules start their tools without a shell.
_ENVIRONMENT = {"Genrule": {"PATH": "/bin:/usr/bin:/usr/local/bin"}}
# None of these disables an action's sandbox or the caching of its result.
_ALLOWED_EXECUTION = {"block-network", "requires-worker-protocol", "supports-workers"}
# If one of these is set, third_party/python/launcher.sh.tpl does not confine its program.
_UNCONFINED = re.compile(r"\b(?:TEST_SRCDIR|BUILD_WORKSPACE_DIRECTORY|REPOSITORY_RULE)\b")
# Characters that are special to a shell outside of single quotes.
_SHELL_WORK = re.compile(r"[;|&<>()$`\\\n#~*?\[{!\"]")
_STATUS = re.compile(r"bazel-out/(?:stable|volatile)-status\.txt")
_HOST_PATH = re.compile(r"(?<![\w./)}\]*%+~-])/[\w.~][^\s'\",:;)]*")


@dataclasses.dataclass(frozen=True)
class Action:
    """One action of the graph.

    Attributes:
      name: its mnemonic and its target's label, for messages.
      mnemonic: the kind of action.
      arguments: its command line and the lines of its parameter files; empty if Bazel runs it
        itself.
      environment: its environment variables.
      execution: the keys of its execution info.
      inputs: paths relative to the execution root.
      outputs: paths relative to the execution root.
    """

    name: str
    mnemonic: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    execution: Sequence[str]
    inputs: frozenset[str]
    outputs: Sequence[str]


def _paths(document: Mapping[str, Any]) -> dict[int, str]:
    """Returns every artifact's path by its ID."""
    fragments = {fragment["id"]: fragment for fragment in document.get("pathFragments", [])}

    def path(fragment_id: int) -> str:
        labels = []
        while fragment_id:
            labels.append(fragments[fragment_id]["label"])
            fragment_id = fragments[fragment_id].get("parentId", 0)
        return "/".join(reversed(labels))

    return {artifact["id"]: path(artifact["pathFragmentId"]) for artifact in document["artifacts"]}


def _members(sets: Mapping[int, Mapping[str, Any]], roots: Iterable[int]) -> Iterator[int]:
    """Yields the artifact IDs of depsets, with their transitive contents."""
    pending, seen = list(roots), set()
    while pending:
        set_id = pending.pop()
        if set_id not in seen:
            seen.add(set_id)
            yield from sets[set_id].get("directArtifactIds", [])
            pending += sets[set_id].get("transitiveDepSetIds", [])


def parse(document: Mapping[str, Any]) -> list[Action]:
    """Reads the actions from the output of `aquery --output=jsonproto`.

    Raises:
      KeyError: a part is missing.
    """
    paths = _paths(document)
    sets = {row["id"]: row for row in document.get("depSetOfFiles", [])}
    labels = {row["id"]: row["label"] for row in document.get("targets", [])}
    actions = []
    for row in document["actions"]:
        arguments = list(row.get("arguments", []))
        for file in row.get("paramFiles", []):
            arguments += file.get("arguments", [])
        inputs = _members(sets, row.get("inputDepSetIds", []))
        actions.append(
            Action(
                name=f"{row['mnemonic']} of {labels[row['targetId']]}",
                mnemonic=row["mnemonic"],
                arguments=arguments,
                environment={
                    pair["key"]: pair.get("value", "")
                    for pair in row.get("environmentVariables", [])
                },
                execution=[pair["key"] for pair in row.get("executionInfo", [])],
                inputs=frozenset(paths[artifact] for artifact in inputs),
                outputs=[paths[artifact] for artifact in row["outputIds"]],
            )
        )
    return actions


def _place(path: str) -> str:
    """Returns an output's path without the configuration, such as `tools/steps/convert/toco`."""
    return re.sub(r"^bazel-out/[^/]+/(?:bin|genfiles|internal)/", "", path)


def _makers(actions: Sequence[Action]) -> dict[str, Action]:
    """Returns the action that makes each output, by path and by path without configuration.

    The query names a toolchain's program in one configuration, and actions use it in another. Then
    only the path without the configuration is the same.
    """
    by_place = {_place(output): action for action in actions for output in action.outputs}
    return by_place | {output: action for action in actions for output in action.outputs}


def _maker(makers: Mapping[str, Action], path: str) -> Action | None:
    is_output = path.startswith("bazel-out/")
    return makers.get(path) or (makers.get(_place(path)) if is_output else None)


def behind(actions: Sequence[Action], wanted: Callable[[str], bool]) -> list[Action]:
    """Returns the actions with a wanted output, and all actions that they depend on.

    Args:
      actions: all actions.
      wanted: whether an output is wanted, by its path without the configuration, such as
        `models/edsr/x.tflite`.
    """
    makers = _makers(actions)
    pending = [
        action
        for action in actions
        if any(
            output.startswith("bazel-out/") and wanted(_place(output)) for output in action.outputs
        )
    ]
    visited: dict[int, Action] = {}
    while pending:
        action = pending.pop()
        if id(action) in visited:
            continue
        visited[id(action)] = action
        dependencies = (_maker(makers, path) for path in sorted(action.inputs))
        pending += [dependency for dependency in dependencies if dependency is not None]
    return list(visited.values())


def that_make_bytes(actions: Sequence[Action]) -> list[Action]:
    """Returns the actions of packages below `models`, and all actions that they depend on."""
    return behind(actions, lambda place: place.startswith("models/"))


def sources(actions: Sequence[Action], readers: Iterable[Action]) -> set[str]:
    """Returns the inputs of the readers that are not the output of any of the actions."""
    makers = _makers(actions)
    paths = {path for action in readers for path in action.inputs}
    return {path for path in paths if _maker(makers, path) is None}


@functools.cache
def _pinned_repositories() -> frozenset[str]:
    return frozenset(_PINNED.read_text(encoding="utf-8").split())


def input_fault(path: str) -> str | None:
    """Returns what is wrong with an input that no action makes, or None."""
    if _STATUS.fullmatch(path):
        return f"is stamped: it reads {path}"
    if path.startswith("bazel-out/"):
        return f"reads {path}, which no action of the query makes"
    if path.startswith("/") or ".." in path.split("/"):
        return f"reads {path}, a file of the host"
    if path.startswith("external/") and path != _GENRULE_SETUP:
        repository = path.split("/")[1]
        if repository not in _pinned_repositories():
            return f"reads {path}, and the repository {repository} is not pinned by digest"
    return None


def host_paths(action: Action) -> list[str]:
    """Returns the absolute paths in a command line, except for a genrule's shell."""
    arguments = list(action.arguments)
    if action.mnemonic == "Genrule" and arguments[:2] == _GENRULE_SHELL:
        del arguments[:2]
    return [path for argument in arguments for path in _HOST_PATH.findall(argument)]


def unconfining(action: Action) -> list[str]:
    """Returns the variables in a command or environment that disable a program's confinement."""
    texts = (*action.arguments, *action.environment)
    return sorted({name for text in texts for name in _UNCONFINED.findall(text)})


def shell_work(action: Action) -> str | None:
    """Returns what a genrule's shell does besides starting a program, or None.

    The launcher confines the program that it starts, but the shell before it can read the machine.
    """
    if action.mnemonic != "Genrule":
        return None
    command = action.arguments[-1].removeprefix(f"source {_GENRULE_SETUP}; ")
    bare = re.sub(r"'[^']*'", "", command)
    special = _SHELL_WORK.search(bare)
    if special:
        return (
            f"has {special.group()!r} in its command, so the shell does more than start a program"
        )
    program = bare.split()[0] if bare.split() else ""
    return None if program in action.inputs else f"starts {program!r}, which is not an input"


def faults(actions: Sequence[Action]) -> list[str]:
    """Returns what is not hermetic in the actions behind the packages below `models`.

    These must hold:
    - Every input is a source of the project, or in a pinned repository.
    - Nothing lets an action bypass the sandbox or the cache, or use the network.
    - No command names a path of the host.
    - Every environment variable has a value that Bazel fixes.
    - Nothing disables the launcher's confinement.
    - A genrule's shell only starts a program.
    """
    makers = _makers(actions)
    problems = []
    for action in that_make_bytes(actions):
        unmade = sorted(path for path in action.inputs if _maker(makers, path) is None)
        problems += [f"{action.name} {fault}" for fault in map(input_fault, unmade) if fault]
        problems += [
            f"{action.name} requests execution with {key!r}"
            for key in sorted(set(action.execution) - _ALLOWED_EXECUTION)
        ]
        if not action.arguments:
            continue
        problems += [
            f"{action.name} names {path}, a path of the host" for path in host_paths(action)
        ]
        problems += [
            f"{action.name} names {name}, which would let a program read more than its inputs"
            for name in unconfining(action)
        ]
        work = shell_work(action)
        if work:
            problems.append(f"{action.name} {work}")
        expected = _ENVIRONMENT.get(action.mnemonic, {})
        if action.environment != expected:
            problems.append(
                f"{action.name} has the environment {dict(action.environment)}, not {expected}"
            )
    return sorted(set(problems))


def ask_bazel(query: str = QUERY) -> bytes:
    """Returns the output of `bazel aquery` in the workspace.

    Raises:
      cli.UserError: it failed.
    """
    return client.ask("aquery", "--output=jsonproto", "--include_param_files", query).encode()


def _read(argv: Sequence[str]) -> tuple[str, bytes]:
    if len(argv) == 1:
        return "bazel aquery", ask_bazel()
    path = cli.callers_path(argv[1])
    return path, cli.read_file(path, "output of bazel aquery")


def main(argv: Sequence[str]) -> None:
    """Checks the actions and prints the faults."""
    source, content = _read(argv)
    try:
        actions = parse(json.loads(content))
    except (ValueError, KeyError, TypeError) as error:
        raise cli.UserError(
            f"{source}: not a complete output of `aquery --output=jsonproto` ({error!r})."
        ) from error
    checked = that_make_bytes(actions)
    if not checked:
        raise cli.UserError(f"{source}: has no action of a package below models/.")
    problems = faults(actions)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        raise cli.UserError(f"{source}: {len(problems)} fault(s) in {len(checked)} actions.")
    inputs = {path for action in checked for path in action.inputs}
    print(f"{len(checked)} actions with {len(inputs)} inputs are hermetic.")


if __name__ == "__main__":
    cli.run(main, positional=1)
