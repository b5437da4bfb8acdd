"""The part of an execution log that the report on a cache needs, small enough for all models."""

import dataclasses
import os
from collections.abc import Callable, Mapping

from reproducible_tflite.lib.bazel import execution_log, steps
from reproducible_tflite.lib.cli import progress

# A smaller log is read too fast for a progress bar.
_LARGE = 1_000_000
Key = tuple[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Spawn:
    """An action and where its outputs came from.

    Attributes:
      action: the action itself; a big folder counts as one input.
      label: its target; "" if the log does not say.
      step: the step of a model, such as "convert"; for other actions, the mnemonic.
      cacheable: whether a remote cache may store it.
      properties: the platform properties that it asks for.
      timeout: the time limit in milliseconds; 0 for none.
      failed: whether it failed.
      sizes: the bytes of every output, by path.
      seconds: how long it ran, without waiting for a processor; for a hit, how long the lookup
        and the download took; None if the log does not say.
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
        """The action's name in the report."""
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


def spawn(execution: execution_log.Execution, action: execution_log.Action) -> Spawn:
    """Returns what the report needs of a log's record; `action` has its big folders joined."""
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
        seconds=getattr(metrics, times[0]).ToNanoseconds() / 1e9 if times else None,
    )


def read(path: str, may_be_empty: bool = False) -> Log:
    """Reads a log; shows progress if the log is large.

    Raises:
      cli.UserError: see `execution_log.executions`.
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
        listings |= folders
        kept = spawn(execution, dataclasses.replace(execution.action, inputs=inputs))
        spawns[kept.key] = kept
    return Log(spawns, listings)
