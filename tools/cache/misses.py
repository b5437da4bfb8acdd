"""Says why actions were not in a cache: what differs from the build that filled it."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from reproducible_tflite.cache.spawns import Key, Log, Spawn
from reproducible_tflite.lib.bazel import findings

_CONFIGURATION = re.compile(r"bazel-out/([^/]+)/")


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why an action differs from the one in the build that filled the cache.

    Attributes:
      kind: "argument", "environment", "property", "timeout", "input": this differs;
        "configuration": other flags put its outputs elsewhere; "new": the other build does not
        have it; "uncacheable": it may not be cached; "failed": it failed there;
        "same": nothing differs, so the cache lost it or never got it; "follows": only what an
        earlier action made differs.
      what: the argument's, variable's or property's name, or the input's path; the earlier action's
        name for "follows".
      before: the value in the build that filled the cache; "" if there was none.
      after: the value now; "" if there is none any more.
      more: how many other things differ, apart from what only follows.
    """

    kind: str
    what: str = ""
    before: str = ""
    after: str = ""
    more: int = 0

    @property
    def text(self) -> str:
        """The reason in words."""
        values = f": {self.before or 'nothing'} -> {self.after or 'nothing'}"
        first = {
            "argument": f"argument {self.what}{values}",
            "environment": f"environment variable {self.what}{values}",
            "property": f"platform property {self.what}{values}",
            "timeout": f"its time limit{values} ms",
            "input": f"input {self.what} {self._changed()}",
            "configuration": f"built with other flags: configuration{values}",
            "new": "new action: the other build has none with these outputs",
            "uncacheable": "may not be cached: its target is tagged no-cache, no-remote or local",
            "failed": "failed in the other build, so it was not cached",
            "same": "evicted, or never uploaded: nothing that the logs show differs",
            "follows": f"follows from {self.what}",
        }[self.kind]
        return f"{first}; and {self.more} more" if self.more else first

    def _changed(self) -> str:
        if not self.before:
            return "is new"
        return f"changed ({self.before[:8]} -> {self.after[:8]})" if self.after else "is gone"


def _flag(side: Sequence[str], place: int) -> str:
    """Returns the flag that an argument is or is the value of, "" if there is none."""
    name = side[place].partition("=")[0]
    if name.startswith("-"):
        return name
    previous = side[place - 1] if place else ""
    # After `--flag=value`, the next word is not that flag's value.
    return previous if previous.startswith("-") and "=" not in previous else ""


def _first_argument(left: Sequence[str], right: Sequence[str]) -> Reason:
    """Names the first argument that differs, or the first word of it if it has several."""
    place = 0
    while left[place : place + 1] == right[place : place + 1]:
        place += 1
    before, after = ("".join(side[place : place + 1]) for side in (left, right))
    names = {_flag(side, place) for side in (left, right) if len(side) > place}
    name = names.pop() if len(names) == 1 else ""
    if before.split() != after.split() and len(before.split()) > 1 < len(after.split()):
        # For a shell command or a text, name the word that differs.
        inner = _first_argument(before.split(), after.split())
        return (
            inner
            if inner.what.startswith("-") or not name
            else dataclasses.replace(inner, what=name)
        )
    if name and before.startswith(f"{name}=") and after.startswith(f"{name}="):
        before, after = before.removeprefix(f"{name}="), after.removeprefix(f"{name}=")
    return Reason("argument", name or f"{place + 1}", before, after)


def _place(path: str) -> str:
    return _CONFIGURATION.sub("", path, count=1)


def _input_rank(path: str) -> tuple[int, str]:
    """Sorts the project's own files first, because a person changed them."""
    return (1 if path.startswith("external/") else 2 if _CONFIGURATION.match(path) else 0), path


class Reasons:
    """Why the actions of one build differ from those of the build that filled the cache."""

    def __init__(self, now: Log, before: Log) -> None:
        self._now, self._before = now, before
        self._makers = {
            path: key for key, spawn in now.spawns.items() for path in spawn.action.digests
        }
        self._places = {
            (mnemonic, tuple(map(_place, outputs))): outputs for mnemonic, outputs in before.spawns
        }
        self._roots: dict[Key, tuple[Key, Reason]] = {}

    def reason(self, key: Key) -> Reason:
        """Returns why an action was missed: its own reason, or else which action it follows."""
        first, reason = self.root(key)
        if first == key:
            return reason
        return Reason("follows", self._now.spawns[first].name)

    def root(self, key: Key) -> tuple[Key, Reason]:
        """Returns the first action that made this one differ, and why that action differs."""
        if key not in self._roots:
            self._roots[key] = self._root(key)
        return self._roots[key]

    def _root(self, key: Key) -> tuple[Key, Reason]:
        # A log may claim that actions make each other's inputs.
        passed = {key}
        while not (own := self._own(key)):
            made = (self._makers.get(path) for path in self._differing_inputs(key))
            maker = next(filter(None, made), None)
            if maker is None or maker in passed:
                return key, Reason("same")
            passed.add(maker)
            key = maker
        return key, own

    def _differing_inputs(self, key: Key) -> list[str]:
        now, before = self._now.spawns[key], self._before.spawns[key]
        paths = findings.differing(before.action.inputs, now.action.inputs)
        return sorted(paths, key=_input_rank)

    def _own(self, key: Key) -> Reason | None:
        """Returns what differs in the action itself, as opposed to what other actions made."""
        now, before = self._now.spawns[key], self._before.spawns.get(key)
        if not now.cacheable:
            return Reason("uncacheable")
        if before is None:
            return self._elsewhere(key)
        reasons = []
        if before.action.arguments != now.action.arguments:
            reasons.append(_first_argument(before.action.arguments, now.action.arguments))
        reasons += _pairs("environment", before.action.environment, now.action.environment)
        reasons += _pairs("property", before.properties, now.properties)
        if before.timeout != now.timeout:
            reasons.append(Reason("timeout", "", str(before.timeout), str(now.timeout)))
        for path in self._differing_inputs(key):
            if path not in self._makers:
                reasons += self._input(path, before, now)
        if reasons:
            return dataclasses.replace(reasons[0], more=len(reasons) - 1)
        if before.failed and not self._differing_inputs(key):
            return Reason("failed")
        return None

    def _elsewhere(self, key: Key) -> Reason:
        """Returns why the other build has no action with these outputs."""
        outputs = self._places.get((key[0], tuple(map(_place, key[1]))))
        configurations = [
            _CONFIGURATION.match(paths[0]) if paths else None for paths in (outputs, key[1])
        ]
        if outputs and all(configurations):
            return Reason("configuration", "", *(match[1] for match in configurations))
        return Reason("new")

    def _input(self, path: str, before: Spawn, now: Spawn) -> list[Reason]:
        """Returns what changed in an input; in a big folder, every file that changed."""
        digests = [side.action.inputs.get(path, "") for side in (before, now)]
        listings = [
            log.listings.get(digest)
            for log, digest in zip((self._before, self._now), digests, strict=True)
        ]
        if None in listings:
            return [Reason("input", path, *digests)]
        left, right = listings
        return [
            Reason("input", f"{path}/{name}", left.get(name, ""), right.get(name, ""))
            for name in findings.differing(left, right)
        ]


def _pairs(kind: str, before: Mapping[str, str], now: Mapping[str, str]) -> list[Reason]:
    return [
        Reason(kind, name, before.get(name, ""), now.get(name, ""))
        for name in findings.differing(before, now)
    ]
