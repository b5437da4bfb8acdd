"""Holds two rounds against each other, action by action, and finds where they first part."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from tools.lib.bazel.execution_log import Action

Key = tuple[str, tuple[str, ...]]

# What the audit itself put into a perturbed round: the launcher's commands and their helpers.
_OWN_INPUT = re.compile(r"(?:external|.*\.runfiles)/cpython_3_(?:9|11)/(?:python|audit(?:/.*)?)")


@dataclasses.dataclass(frozen=True)
class Parting:
    """A place where two rounds part: everything before it is equal.

    Attributes:
      kind: "output": equal inputs, other outputs; "input": a file that no action makes is another
        one; "command": the command line or an environment variable; "actions": it ran in one round
        only.
      action: the first action's name.
      key: the action.
      paths: the outputs or the input or the variables that differ.
      followers: the names of the actions that differ because of it.
    """

    kind: str
    action: str
    key: Key
    paths: tuple[str, ...]
    followers: tuple[str, ...] = ()


def is_own(path: str) -> bool:
    """Returns whether the audit changes this input itself."""
    return bool(_OWN_INPUT.fullmatch(path))


def differing(left: Mapping[str, str], right: Mapping[str, str]) -> list[str]:
    """Returns the keys whose values differ, or that one side lacks."""
    keys = sorted(left.keys() | right.keys())
    return [key for key in keys if left.get(key) != right.get(key)]


def is_perturbed(action: Action) -> bool:
    """Returns whether an action starts the packaged CPython, and so was perturbed inside."""
    return any(is_own(path) for path in action.inputs)


def _part(left: Action, right: Action, key: Key, generated: set[str]) -> list[Parting]:
    """Returns what is new with one action: what its inputs do not explain."""
    partings = []
    variables = differing(left.environment, right.environment)
    if left.arguments != right.arguments:
        variables.insert(0, "command line")
    if variables:
        partings.append(Parting("command", left.name, key, tuple(variables)))
    inputs = [path for path in differing(left.inputs, right.inputs) if not is_own(path)]
    partings += [
        Parting("input", left.name, key, (path,)) for path in inputs if path not in generated
    ]
    outputs = differing(left.digests, right.digests)
    if outputs and not partings and not inputs:
        partings.append(Parting("output", left.name, key, tuple(outputs)))
    return partings


def compare(left: Mapping[Key, Action], right: Mapping[Key, Action]) -> list[Parting]:
    """Compares two rounds.

    Args:
      left: the plain round's actions, in the order in which they ran, which is one of dependency.
      right: another round's.

    Returns:
      Where they part, in the order of the left round. What only follows from an earlier parting is
      no parting of its own.
    """
    both = [key for key in left if key in right]
    generated = {path for action in (*left.values(), *right.values()) for path in action.digests}
    partings = [
        Parting("actions", action.name, key, action.outputs)
        for present, absent in ((left, right), (right, left))
        for key, action in present.items()
        if key not in absent
    ]
    inputs_seen = set()
    for key in both:
        for parting in _part(left[key], right[key], key, generated):
            if parting.kind == "input":
                # Many actions read it; the first one stands for all.
                if parting.paths in inputs_seen:
                    continue
                inputs_seen.add(parting.paths)
            partings.append(parting)
    return [
        dataclasses.replace(parting, followers=tuple(followers(left, right, parting)))
        for parting in partings
    ]


def followers(
    left: Mapping[Key, Action], right: Mapping[Key, Action], parting: Parting
) -> Sequence[str]:
    """Returns the actions that differ and read, directly or not, what differs in a parting."""
    tainted = set(parting.paths)
    if parting.key in left:
        tainted |= left[parting.key].digests.keys()
    names = []
    for key, action in left.items():
        if key == parting.key or key not in right or not tainted & action.inputs.keys():
            continue
        if differing(action.digests, right[key].digests):
            names.append(action.name)
            tainted |= action.digests.keys()
    return names
