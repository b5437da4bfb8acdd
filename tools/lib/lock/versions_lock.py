"""What each pinned TensorFlow makes of each model of the catalogue: `models/versions.lock.json`."""

import json
from collections.abc import Mapping
from typing import Any

from reproducible_tflite.lib.cli import cli

PATH = "models/versions.lock.json"
_HEADER = "Written by: bazel run //tools/audit:update_versions"

# By model's label: `converter`; `sha256`, of the first TensorFlow's file; `versions`: by TensorFlow
# the fields of `conversions.compare_with` and the `sha256` of its file, or `refused`, why it makes
# none.
Lock = dict[str, dict[str, Any]]


def parse(content: bytes, path: str) -> Lock:
    """Reads the lock.

    Raises:
      cli.UserError: the content is not JSON, or does not have the form of this lock.
    """
    try:
        lock = json.loads(content)["models"]
        for row in lock.values():
            for result in row["versions"].values():
                if "refused" not in result:
                    result["verdict"], result["differences"], result["first"], result["sha256"]
            row["converter"], row["sha256"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise cli.UserError(
            f"{path}: not what TensorFlows make of models: {cli.first_line(error)}; restore it with"
            " git."
        ) from error
    return lock


def text(lock: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the lock as JSON, sorted."""
    models = {
        label: {**row, "versions": dict(sorted(row["versions"].items()))}
        for label, row in sorted(lock.items())
    }
    return json.dumps({"": _HEADER, "models": models}, indent=2) + "\n"


def updated(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a model's row after some TensorFlows were tried again.

    Args:
      old: its row so far, if it had one. Its results of other TensorFlows stay if the first
        TensorFlow still makes the same file.
      new: the row with the new results.
    """
    kept = old["versions"] if old and old["sha256"] == new["sha256"] else {}
    return {**new, "versions": {**kept, **new["versions"]}}
