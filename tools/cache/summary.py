"""Sums up what a build got from a cache, by model and by step, as report.schema.json describes.

All numbers of bytes are upper bounds, and `NOTES` say why: an execution log records what actions
made, not what was sent over the network.
"""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reproducible_tflite.cache.misses import Reason, Reasons
from reproducible_tflite.cache.spawns import Key, Log, Spawn
from reproducible_tflite.lib.bazel import findings, steps

VERSION = 1
NOTES = (
    "Downloaded: the outputs of hits; an upper bound, since of those that were not asked for only "
    "what an action reads is fetched, which no log tells, unless --remote_download_outputs=all was "
    "given; answers of the server and the bytes of the protocol come on top.",
    "To upload: what misses made that may be cached; an estimate, since a build that may not write "
    "uploads nothing, and a gRPC server is not sent what it has.",
    "Saved: how long the same actions ran in the build given with --against, without waiting for a "
    "processor; hits without such a run are not in it.",
)
# The target of this action is the model.
_LAST = "CanonicalTflite"
OTHER = "(of no model)"


def _models(spawns: Mapping[Key, Spawn]) -> dict[Key, tuple[str, ...]]:
    """Returns, for every action, the models that it was run for."""
    makers = {path: key for key, spawn in spawns.items() for path in spawn.action.digests}
    models_of: dict[Key, set[str]] = collections.defaultdict(set)
    models = {spawn.label: key for key, spawn in spawns.items() if key[0] == _LAST and spawn.label}
    for model, last in models.items():
        pending = [last]
        while pending:
            key = pending.pop()
            if model not in models_of[key]:
                models_of[key].add(model)
                pending += {makers[path] for path in spawns[key].action.inputs if path in makers}
    for key, spawn in spawns.items():
        if models_of[key]:
            continue
        # `x.provenance` belongs to the model `x`; other steps, to a model that was not finished.
        owner = spawn.label.rpartition(".")[0]
        if owner in models:
            models_of[key].add(owner)
        elif spawn.step in steps.NAMES and spawn.label:
            models_of[key].add(steps.declared(spawn.label))
        else:
            models_of[key].add(OTHER)
    return {key: tuple(sorted(models_of[key])) for key in spawns}


def _total(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Adds up actions."""
    rows = list(rows)
    hits = [row for row in rows if row["result"] == "hit"]
    misses = [row for row in rows if row["result"] == "miss"]
    saved = [row["seconds_saved"] for row in hits if row["seconds_saved"] is not None]
    spent = [row["seconds"] for row in misses if row["seconds"] is not None]
    return {
        "hits": len(hits),
        "misses": len(misses),
        "downloaded_bytes": sum(row["bytes"] for row in hits),
        "to_upload_bytes": sum(row["bytes"] for row in misses if row["cacheable"]),
        # Unknown is not the same as zero.
        "seconds_saved": round(sum(saved), 3) if saved else None,
        "hits_of_unknown_seconds": len(hits) - len(saved),
        "seconds_of_misses": round(sum(spent), 3) if spent else None,
        "misses_of_unknown_seconds": len(misses) - len(spent),
    }


def _ordered(names: Sequence[str], used: Iterable[str]) -> list[str]:
    """Returns the used names in the order of `names`, followed by the others."""
    names_used = set(used)
    return [name for name in names if name in names_used] + sorted(names_used - {*names})


def make(now: Log, before: Log | None) -> dict[str, Any]:
    """Makes the report on `now`; `before` is the build that filled the cache.

    Returns:
      The document that report.schema.json describes.
    """
    reasons = Reasons(now, before) if before else None
    models = _models(now.spawns)
    rows, disagreements = [], []
    for key, spawn in now.spawns.items():
        earlier = before.spawns.get(key) if before else None
        same = bool(reasons and earlier and reasons.root(key) == (key, Reason("same")))
        was_executed = earlier is not None and not earlier.hit and not earlier.failed
        reproduced = was_executed and spawn.action.digests == earlier.action.digests
        if was_executed and same and not reproduced and not spawn.failed:
            disagreements.append(_disagreement(spawn, earlier))
        row = {
            "name": spawn.name,
            "label": spawn.label,
            "models": list(models[key]),
            "step": spawn.step,
            "mnemonic": key[0],
            "output": key[1][0] if key[1] else "",
            "result": "hit" if spawn.hit else "miss",
            "cacheable": spawn.cacheable,
            "bytes": sum(spawn.sizes.values()),
            "seconds": _rounded(spawn.seconds),
            "seconds_saved": _rounded(earlier.seconds) if spawn.hit and reproduced else None,
            "reason": None,
        }
        if reasons and not spawn.hit:
            root, _ = reasons.root(key)
            reason = reasons.reason(key)
            named = {"text": reason.text, "cause": now.spawns[root].name}
            row["reason"] = dataclasses.asdict(reason) | named
        rows.append(row)
    return {
        "version": VERSION,
        "compared": before is not None,
        "totals": {"actions": len(rows)} | _total(rows),
        "models": [
            {
                "name": name,
                **_total(row for row in rows if name in row["models"]),
                "steps": _by_step(row for row in rows if name in row["models"]),
            }
            for name in sorted({name for row in rows for name in row["models"]})
        ],
        "steps": [
            {"name": name, **_total(row for row in rows if row["step"] == name)}
            for name in _ordered(steps.NAMES, (row["step"] for row in rows))
        ],
        "actions": rows,
        "disagreements": disagreements,
        "notes": list(NOTES),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _by_step(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    counts_by_step: dict[str, dict[str, int]] = {}
    for row in rows:
        counts = counts_by_step.setdefault(row["step"], {"hits": 0, "misses": 0})
        counts["hits" if row["result"] == "hit" else "misses"] += 1
    return counts_by_step


def _disagreement(spawn: Spawn, earlier: Spawn) -> dict[str, Any]:
    """Describes an action with the same key but different outputs in both builds."""
    left, right = earlier.action.digests, spawn.action.digests
    return {
        "name": spawn.name,
        "result": "hit" if spawn.hit else "miss",
        "outputs": [
            {"path": path, "before": left.get(path, ""), "after": right.get(path, "")}
            for path in findings.differing(left, right)
        ],
    }
