"""Which TensorFlow Lite, numbered as TensorFlow's releases, runs a version of an operator.

The table is TensorFlow's own; third_party/runtime_versions says from where.
"""

import functools
import json
from collections.abc import Iterable

from reproducible_tflite.lib.runfiles import runfiles

_TABLE = "third_party/runtime_versions/runtime_versions.json"


@functools.cache
def table() -> dict[str, list[str | None]]:
    """Returns the runtimes of each builtin operator's versions, from version 1 on."""
    return json.loads(runfiles.own(_TABLE).read_text(encoding="utf-8"))["operators"]


def of_operator(name: str, version: int) -> str | None:
    """Returns the oldest runtime with a version of a builtin operator; None if that is not known.

    Args:
      name: the operator's name in the schema, such as "CONV_2D".
      version: the operator's version.
    """
    known = table().get(name, [])
    return known[version - 1] if 1 <= version <= len(known) else None


def newest(runtimes: Iterable[str | None]) -> str | None:
    """Returns the newest of several runtimes; None without any."""
    known = [runtime for runtime in runtimes if runtime is not None]
    return max(known, key=lambda text: [int(part) for part in text.split(".")], default=None)
