"""Reads from Bazel's JSON trace profile how long each action took."""

import bisect
import collections
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tools.cache.spawns import Spawn
from tools.cli import cli

Event = Mapping[str, Any]


class Timings:
    """How long actions took in one build, without waiting for a processor.

    Args:
      events: `traceEvents` of the profile.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        waits = collections.defaultdict(list)
        for event in events:
            if event.get("cat") == "action resource lock":
                waits[event["tid"]].append((event["ts"], event["dur"]))
        for rows in waits.values():
            rows.sort()
        self._by_output: dict[str, float] = {}
        by_message = collections.defaultdict(list)
        for event in events:
            if event.get("cat") != "action processing":
                continue
            seconds = (event["dur"] - _waited(event, waits.get(event["tid"], []))) / 1e6
            by_message[event["name"]].append(seconds)
            if "out" in event:
                self._by_output[event["out"]] = seconds
        # Two actions that say the same cannot be told apart.
        self._by_message = {text: rows[0] for text, rows in by_message.items() if len(rows) == 1}

    def seconds(self, spawn: Spawn) -> float | None:
        """Returns how long an action took, None if the profile does not tell."""
        for output in spawn.action.outputs:
            if output in self._by_output:
                return self._by_output[output]
        return self._by_message.get(spawn.message)


def _waited(event: Event, waits: Sequence[tuple[int, int]]) -> int:
    """Returns the microseconds of an action's time in which it waited for a processor."""
    first = bisect.bisect_left(waits, (event["ts"], 0))
    end = event["ts"] + event["dur"]
    return sum(duration for start, duration in waits[first:] if start < end)


def read(path: str) -> Timings:
    """Reads what `--profile` wrote, packed or not.

    Raises:
      cli.UserError: the file is missing or no profile.
    """
    content = cli.read_file(path, "profile")
    try:
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        return Timings(json.loads(content)["traceEvents"])
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise cli.UserError(
            f"{path}: is no whole profile; let Bazel write one with --profile."
        ) from error
