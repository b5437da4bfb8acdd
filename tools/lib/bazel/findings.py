"""Compares two rounds action by action and finds where they first diverge."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from reproducible_tflite.lib.bazel.execution_log import Action

Key = tuple[str, tuple[str, ...]]

# The inputs that the audit itself changes: the launcher and its helper programs. In another
# repository's workspace, the name of their repository begins differently.
_OWN_INPUT = re.compile(
    r"(?:external|.*\.runfiles)/[^/]*cpython_3_(?:9|11)/(?:python|audit(?:/.*)?)"
)


@dataclasses.dataclass(frozen=True)
class Divergence:
    """A place where two rounds diverge, while everything before it is equal.

    Attributes:
      kind: "output": equal inputs, but different outputs; "input": a file that no action makes
        differs; "command": the command line or an environment variable differs; "actions": the
        action ran in one round only.
      action: the name of the first action that diverges.
      key: the key of that action.
      paths: the outputs, the input or the variables that differ.
      followers: the names of the actions that differ because of it.
    """

    kind: str
    action: str
    key: Key
    paths: tuple[str, ...]
    followers: tuple[str, ...] = ()


def is_own(path: str) -> bool:
    """Returns whether the audit itself changes this input."""
    return bool(_OWN_INPUT.fullmatch(path))


def differing(left: Mapping[str, str], right: Mapping[str, str]) -> list[str]:
    """Returns the keys whose values differ or that one side does not have."""
    keys = sorted(left.keys() | right.keys())
    return [key for key in keys if left.get(key) != right.get(key)]


def is_perturbed(action: Action) -> bool:
    """Returns whether an action starts the packaged CPython, so that it was perturbed inside."""
    return any(is_own(path) for path in action.inputs)


def _divergences(left: Action, right: Action, key: Key, generated: set[str]) -> list[Divergence]:
    """Returns the divergences that begin at an action and are not due to its inputs."""
    divergences = []
    variables = differing(left.environment, right.environment)
    if left.arguments != right.arguments:
        variables.insert(0, "command line")
    if variables:
        divergences.append(Divergence("command", left.name, key, tuple(variables)))
    inputs = [path for path in differing(left.inputs, right.inputs) if not is_own(path)]
    divergences += [
        Divergence("input", left.name, key, (path,)) for path in inputs if path not in generated
    ]
    outputs = differing(left.digests, right.digests)
    if outputs and not divergences and not inputs:
        divergences.append(Divergence("output", left.name, key, tuple(outputs)))
    return divergences


def compare(left: Mapping[Key, Action], right: Mapping[Key, Action]) -> list[Divergence]:
    """Compares two rounds.

    Args:
      left: the plain round's actions in the order in which they ran, so dependencies come first.
      right: the other round's actions.

    Returns:
      The divergences in the order of the left round, without those that only follow from an
      earlier one.
    """
    both = [key for key in left if key in right]
    generated = {path for action in (*left.values(), *right.values()) for path in action.digests}
    divergences = [
        Divergence("actions", action.name, key, action.outputs)
        for present, absent in ((left, right), (right, left))
        for key, action in present.items()
        if key not in absent
    ]
    inputs_seen = set()
    for key in both:
        for divergence in _divergences(left[key], right[key], key, generated):
            if divergence.kind == "input":
                # Many actions may read the input; report only the first.
                if divergence.paths in inputs_seen:
                    continue
                inputs_seen.add(divergence.paths)
            divergences.append(divergence)
    return [
        dataclasses.replace(divergence, followers=tuple(followers(left, right, divergence)))
        for divergence in divergences
    ]


def followers(
    left: Mapping[Key, Action], right: Mapping[Key, Action], divergence: Divergence
) -> Sequence[str]:
    """Returns the actions that differ and depend, directly or not, on a divergence."""
    tainted = set(divergence.paths)
    if divergence.key in left:
        tainted |= left[divergence.key].digests.keys()
    names = []
    for key, action in left.items():
        if key == divergence.key or key not in right or not tainted & action.inputs.keys():
            continue
        if differing(action.digests, right[key].digests):
            names.append(action.name)
            tainted |= action.digests.keys()
    return names
