"""Checks every action that a model's bytes go back to: its inputs, command, environment, execution.

    bazel run //tests/hermeticity:check_actions            asks Bazel itself
    bazel run //tests/hermeticity:check_actions -- FILE    reads what `bazel aquery` printed

FILE is the output of `bazel aquery --output=jsonproto --include_param_files QUERY`, with `QUERY` as
below. What is checked is in `faults`.
"""

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tools.lib.bazel import client
from tools.lib.cli import cli

# deps() does not follow a toolchain, so the toolchain's programs are asked for by name, but for the
# one that needs a CPython that a machine may not have.
QUERY = "deps(//models:all_models) union deps(//tools/steps/convert:on_python_3_11)"

# The repositories that third_party/ pins by digest.
_PINNED_REPOSITORY = re.compile(
    r"cpython_3_11|debian|tensorflow_\d+_\d+_\d+|tf_models_object_detection|tf1_contrib_quantize"
    r"|huggingface_\w+|litert_site|photographs|pip_\w+|released_[\w.]+"
)
# What Bazel brings and puts before every genrule's command.
_GENRULE_SETUP = "external/bazel_tools/tools/genrule/genrule-setup.sh"
_GENRULE_SHELL = ["/bin/bash", "-c"]
# PATH is what --incompatible_strict_action_env sets. Rules start their tools without a shell.
_ENVIRONMENT = {"Genrule": {"PATH": "/bin:/usr/bin:/usr/local/bin"}}
# None of these lets an action out of its sandbox or keeps its result out of a cache.
_ALLOWED_EXECUTION = {"block-network", "requires-worker-protocol", "supports-workers"}
# With any of these third_party/python/launcher.sh.tpl does not confine what it starts.
_UNCONFINED = re.compile(r"\b(?:TEST_SRCDIR|BUILD_WORKSPACE_DIRECTORY|REPOSITORY_RULE)\b")
# What is more than words to a shell, outside of single quotes.
_SHELL_WORK = re.compile(r"[;|&<>()$`\\\n#~*?\[{!\"]")
_STATUS = re.compile(r"bazel-out/(?:stable|volatile)-status\.txt")
_HOST_PATH = re.compile(r"(?<![\w./)}\]*%+~-])/[\w.~][^\s'\",:;)]*")


@dataclasses.dataclass(frozen=True)
class Action:
    """One action of the graph.

    Attributes:
      name: its mnemonic and its target's label, for messages.
      mnemonic: what kind of action it is.
      arguments: its command line with its parameter files' lines, empty when Bazel runs it itself.
      environment: its variables.
      execution: the keys of its execution info.
      inputs: paths relative to the execution root.
      outputs: likewise.
    """

    name: str
    mnemonic: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    execution: Sequence[str]
    inputs: frozenset[str]
    outputs: Sequence[str]


def _paths(document: Mapping[str, Any]) -> dict[int, str]:
    """Returns every artifact's path by its id."""
    fragments = {fragment["id"]: fragment for fragment in document.get("pathFragments", [])}

    def path(fragment_id: int) -> str:
        labels = []
        while fragment_id:
            labels.append(fragments[fragment_id]["label"])
            fragment_id = fragments[fragment_id].get("parentId", 0)
        return "/".join(reversed(labels))

    return {artifact["id"]: path(artifact["pathFragmentId"]) for artifact in document["artifacts"]}


def _members(sets: Mapping[int, Mapping[str, Any]], roots: Iterable[int]) -> Iterator[int]:
    """Yields the artifact ids of depsets and of all that they contain."""
    pending, seen = list(roots), set()
    while pending:
        set_id = pending.pop()
        if set_id not in seen:
            seen.add(set_id)
            yield from sets[set_id].get("directArtifactIds", [])
            pending += sets[set_id].get("transitiveDepSetIds", [])


def parse(document: Mapping[str, Any]) -> list[Action]:
    """Reads the actions out of an `aquery --output=jsonproto`.

    Raises:
      KeyError: a part of it is missing.
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
    """An output's path without the configuration, as in `tools/steps/convert/toco`."""
    return re.sub(r"^bazel-out/[^/]+/(?:bin|genfiles|internal)/", "", path)


def _makers(actions: Sequence[Action]) -> dict[str, Action]:
    """Returns who makes each output, by its path and, less surely, by its place.

    A toolchain's program is asked for in one configuration and used in another: its place tells.
    """
    by_place = {_place(output): action for action in actions for output in action.outputs}
    return by_place | {output: action for action in actions for output in action.outputs}


def _maker(makers: Mapping[str, Action], path: str) -> Action | None:
    made = path.startswith("bazel-out/")
    return makers.get(path) or (makers.get(_place(path)) if made else None)


def behind(actions: Sequence[Action], wanted: Callable[[str], bool]) -> list[Action]:
    """Returns the actions with a wanted output, and all that they go back to.

    Args:
      actions: all that there are.
      wanted: says so of an output's path without its configuration, as `models/edsr/x.tflite`.
    """
    makers = _makers(actions)
    pending = [
        action
        for action in actions
        if any(
            output.startswith("bazel-out/") and wanted(_place(output)) for output in action.outputs
        )
    ]
    found: dict[int, Action] = {}
    while pending:
        action = pending.pop()
        if id(action) in found:
            continue
        found[id(action)] = action
        sources = (_maker(makers, path) for path in sorted(action.inputs))
        pending += [source for source in sources if source is not None]
    return list(found.values())


def that_make_bytes(actions: Sequence[Action], folder: str) -> list[Action]:
    """Returns the actions of packages below `folder`, and all that they go back to."""
    return behind(actions, lambda place: place.startswith(folder + "/"))


def sources(actions: Sequence[Action], found: Iterable[Action]) -> set[str]:
    """Returns the inputs of the found actions that none of all actions makes."""
    makers = _makers(actions)
    paths = {path for action in found for path in action.inputs}
    return {path for path in paths if _maker(makers, path) is None}


def input_fault(path: str) -> str | None:
    """Says what is wrong with an input that no action makes, or None."""
    if _STATUS.fullmatch(path):
        return f"is stamped: it reads {path}"
    if path.startswith("bazel-out/"):
        return f"reads {path}, which no action of the query makes"
    if path.startswith("/") or ".." in path.split("/"):
        return f"reads {path}, a file of the host"
    if path.startswith("external/") and path != _GENRULE_SETUP:
        repository = path.split("/")[1]
        if not _PINNED_REPOSITORY.fullmatch(repository):
            return f"reads {path}, and the repository {repository} is not pinned by digest"
    return None


def host_paths(action: Action) -> list[str]:
    """Returns the absolute paths in a command line, apart from the shell that runs a genrule."""
    arguments = list(action.arguments)
    if action.mnemonic == "Genrule" and arguments[:2] == _GENRULE_SHELL:
        del arguments[:2]
    return [path for argument in arguments for path in _HOST_PATH.findall(argument)]


def unconfining(action: Action) -> list[str]:
    """Returns the variables in a command or environment that let a program read what it likes."""
    texts = (*action.arguments, *action.environment)
    return sorted({name for text in texts for name in _UNCONFINED.findall(text)})


def shell_work(action: Action) -> str | None:
    """Returns what a genrule's shell does itself, None if it only starts a program.

    The launcher confines the program that it starts; the shell before it can read the machine.
    """
    if action.mnemonic != "Genrule":
        return None
    command = action.arguments[-1].removeprefix(f"source {_GENRULE_SETUP}; ")
    bare = re.sub(r"'[^']*'", "", command)
    found = _SHELL_WORK.search(bare)
    if found:
        return f"has {found.group()!r} in its command, with which the shell does more"
    program = bare.split()[0] if bare.split() else ""
    return None if program in action.inputs else f"starts {program!r}, which is none of its inputs"


def faults(actions: Sequence[Action], folder: str) -> list[str]:
    """Returns what is not hermetic in the actions that packages below `folder` go back to.

    Every input is the project's own source or in a pinned repository; nothing lets an action out of
    the sandbox, past the cache or at the network; no command names a path of the host; no
    environment has a variable that Bazel does not fix; nothing stops the launcher from confining,
    and a genrule's shell does nothing but start a program.
    """
    makers = _makers(actions)
    found = []
    for action in that_make_bytes(actions, folder):
        unmade = sorted(path for path in action.inputs if _maker(makers, path) is None)
        found += [f"{action.name} {fault}" for fault in map(input_fault, unmade) if fault]
        found += [
            f"{action.name} asks for execution with {key!r}"
            for key in sorted(set(action.execution) - _ALLOWED_EXECUTION)
        ]
        if not action.arguments:
            continue
        found += [f"{action.name} names {path}, a path of the host" for path in host_paths(action)]
        found += [
            f"{action.name} names {name}, with which a program could read more than its inputs"
            for name in unconfining(action)
        ]
        work = shell_work(action)
        if work:
            found.append(f"{action.name} {work}")
        expected = _ENVIRONMENT.get(action.mnemonic, {})
        if action.environment != expected:
            found.append(
                f"{action.name} has the environment {dict(action.environment)}, not {expected}"
            )
    return sorted(set(found))


def ask_bazel() -> bytes:
    """Runs `bazel aquery` in the workspace, with `QUERY`."""
    command = [*client.command(), "aquery", "--output=jsonproto", "--include_param_files", QUERY]
    result = subprocess.run(
        command, cwd=cli.workspace(), env=client.environment(), stdout=subprocess.PIPE, check=False
    )
    if result.returncode != 0:
        raise cli.UserError(f"{' '.join(command)} ended with {result.returncode}.")
    return result.stdout


def _read(argv: Sequence[str]) -> tuple[str, bytes]:
    if len(argv) == 1:
        return "bazel aquery", ask_bazel()
    path = cli.callers_path(argv[1])
    return path, cli.read_file(path, "output of bazel aquery")


def main(argv: Sequence[str]) -> None:
    source, content = _read(argv)
    try:
        actions = parse(json.loads(content))
    except (ValueError, KeyError, TypeError) as error:
        raise cli.UserError(
            f"{source}: not a whole `aquery --output=jsonproto` ({error!r})."
        ) from error
    checked = that_make_bytes(actions, "models")
    if not checked:
        raise cli.UserError(f"{source}: holds no action of a package below models/.")
    found = faults(actions, "models")
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        raise cli.UserError(f"{source}: {len(found)} fault(s) in {len(checked)} actions.")
    inputs = {path for action in checked for path in action.inputs}
    print(f"{len(checked)} actions with {len(inputs)} inputs are hermetic.")


if __name__ == "__main__":
    cli.run(main, positional=1)
