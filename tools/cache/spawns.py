"""What the report on a cache keeps of a log: its actions, small enough for those of all models."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from tools.lib.bazel import execution_log, steps
from tools.lib.cli import cli, progress

# A smaller log is read before anyone would look at a bar.
_LARGE = 100_000_000
Key = tuple[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Spawn:
    """An action and how it came to its outputs.

    Attributes:
      action: what names and decides it; a big folder of its inputs is one input.
      label: the target that it is of; "" where the log does not say.
      step: a model's step, as in "convert"; another action's mnemonic.
      cacheable: whether a remote cache may hold it.
      properties: those of the platform that it asks for.
      timeout: milliseconds that it may take; 0 for no limit.
      failed: whether it failed.
      sizes: the bytes of every output, by path.
      seconds: how long it ran, without waiting for a processor; of a hit, how long looking up and
        fetching took; None where the log does not say.
    """

    action: execution_log.Action
    label: str
    step: str
    cacheable: bool
    properties: Mapping[str, str]
    timeout: int
    failed: bool
    sizes: Mapping[str, int]
    seconds: float | None

    @property
    def key(self) -> Key:
        return self.action.mnemonic, self.action.outputs

    @property
    def hit(self) -> bool:
        return self.action.cache_hit

    @property
    def name(self) -> str:
        """What a person calls it."""
        if self.label:
            return f"{self.step} of {self.label}"
        return self.action.name


@dataclasses.dataclass(frozen=True)
class Log:
    """An execution log.

    Attributes:
      spawns: by (mnemonic, outputs), in the log's order.
      listings: the files of every big folder and their digests, by the folder's digest.
    """

    spawns: Mapping[Key, Spawn]
    listings: Mapping[str, Mapping[str, str]]


def _seconds(metrics: Mapping[str, str]) -> float | None:
    """Returns how long an action took: a hit has no `executionWallTime`."""
    text = metrics.get("executionWallTime") or metrics.get("totalTime", "")
    return float(text.removesuffix("s")) if text else None


def spawn(entry: Mapping[str, Any], action: execution_log.Action) -> Spawn:
    """Returns what a log's entry says, beside its action.

    Args:
      entry: the entry.
      action: what `execution_log.action` made of it, its big folders joined.
    """
    label = entry.get("targetLabel", "")
    return Spawn(
        action=action,
        label=label,
        step=steps.name(action.mnemonic, label) or action.mnemonic,
        cacheable=entry.get("cacheable", True) and entry.get("remoteCacheable", True),
        properties={
            row["name"]: row.get("value", "")
            for row in (entry.get("platform") or {}).get("properties", [])
        },
        timeout=int(entry.get("timeoutMillis", 0)),
        failed=bool(entry.get("exitCode", 0) or entry.get("status", "")),
        sizes={
            file["path"]: int(file.get("digest", {}).get("sizeBytes", 0))
            for file in entry.get("actualOutputs", [])
        },
        seconds=_seconds(entry.get("metrics", {})),
    )


def read(path: str) -> Log:
    """Reads a log, showing how far it has come if it is large.

    Raises:
      cli.UserError: as of `execution_log.entries`.
    """
    total = os.path.getsize(path) if os.path.isfile(path) else 0
    if total < _LARGE:
        return _read(path, lambda _: None)
    with progress.of_bytes(total) as shown:
        return _read(path, shown.update)


def _read(path: str, advance: Any) -> Log:
    spawns: dict[Key, Spawn] = {}
    listings: dict[str, Mapping[str, str]] = {}
    for entry in execution_log.entries(path, advance):
        try:
            action = execution_log.action(entry, path)
            inputs, found = execution_log.folders(action.inputs)
            made = spawn(entry, dataclasses.replace(action, inputs=inputs))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise cli.UserError(
                f"{path}: {execution_log.FOREIGN} ({type(error).__name__}: {error})"
            ) from error
        for digest, files in found.items():
            listings.setdefault(digest, files)
        spawns[made.key] = made
    return Log(spawns, listings)
