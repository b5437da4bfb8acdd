"""What the report on a cache keeps of a log: its actions, small enough for those of all models."""

import dataclasses
import os
from collections.abc import Callable, Mapping

from google.protobuf import duration_pb2

from tools.lib.bazel import execution_log, steps
from tools.lib.cli import progress

# A smaller log is read before anyone would look at a bar.
_LARGE = 1_000_000
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


def _seconds(duration: duration_pb2.Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def spawn(execution: execution_log.Execution, action: execution_log.Action) -> Spawn:
    """Returns what is kept of an action.

    Args:
      execution: what the log says of it.
      action: the action itself, its big folders joined.
    """
    entry = execution.spawn
    label, metrics = entry.target_label, entry.metrics
    # A hit has no `execution_wall_time`.
    times = [name for name in ("execution_wall_time", "total_time") if metrics.HasField(name)]
    return Spawn(
        action=action,
        label=label,
        step=steps.name(action.mnemonic, label) or action.mnemonic,
        cacheable=entry.cacheable and entry.remote_cacheable,
        properties={row.name: row.value for row in entry.platform.properties},
        timeout=entry.timeout_millis,
        failed=bool(entry.exit_code or entry.status),
        sizes=execution.sizes,
        seconds=_seconds(getattr(metrics, times[0])) if times else None,
    )


def read(path: str, may_be_empty: bool = False) -> Log:
    """Reads a log, showing how far it has come if it is large.

    Args:
      path: the log.
      may_be_empty: whether it is no mistake that no action ran.

    Raises:
      cli.UserError: as of `execution_log.executions`.
    """
    total = os.path.getsize(path) if os.path.isfile(path) else 0
    if total < _LARGE:
        return _read(path, may_be_empty, lambda _: None)
    with progress.of_bytes(total) as bar:
        return _read(path, may_be_empty, bar.update)


def _read(path: str, may_be_empty: bool, advance: Callable[[int], object]) -> Log:
    spawns: dict[Key, Spawn] = {}
    listings: dict[str, Mapping[str, str]] = {}
    for execution in execution_log.executions(path, may_be_empty, advance):
        inputs, folders = execution_log.folders(execution.action.inputs)
        for digest, files in folders.items():
            listings.setdefault(digest, files)
        kept = spawn(execution, dataclasses.replace(execution.action, inputs=inputs))
        spawns[kept.key] = kept
    return Log(spawns, listings)
