"""Challenges a published file with ours."""

import collections
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tests.tools.steps.export import program


def challenge(
    published: pathlib.Path, ours: pathlib.Path, *flags: str
) -> tuple[int, Mapping[str, Any], Mapping[str, int]]:
    """Runs `//tools/audit:challenge`.

    Returns:
      The exit code, the JSON object, and how many differences of each kind there are.
    """
    result = program.run(
        "tools/audit/challenge.py",
        published.resolve(),
        ours.resolve(),
        *flags,
        json=True,
        lock="models/published.lock.json",
    )
    value = json.loads(result.stdout)
    kinds = collections.Counter(part["kind"] for part in value["differences"])
    print(f"\n{published.name} against {ours}: {value['verdict']} {dict(kinds)}")
    return result.returncode, value, kinds
