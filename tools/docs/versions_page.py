"""Writes docs/versions.md with the table of what each pinned TensorFlow makes of each model.

Called as `versions_page PAGE FACTS LOCK VERSIONS OUTPUT`: the page as it is, what the rule
`model_facts` wrote, versions.lock.json, the TensorFlows of each converter as JSON, the first being
the one with which the others are compared, and the page to write.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.docs import blocks, markdown
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.lock import versions_lock
from reproducible_tflite.lib.meaning import comparison, difference

_NOTHING = "–"
_MISSING = "not compared"


def _cell(result: Mapping[str, Any]) -> str:
    """Says what a TensorFlow makes of a model, in a few words."""
    if not result:
        return _MISSING
    if "refused" in result:
        return markdown.cell(f"refused: {result['refused']}")
    if comparison.is_at_least(result["verdict"], comparison.SAME_MEANING):
        return result["verdict"]
    kinds = [
        f"{kind} ({count})"
        for kind, count in result["differences"].items()
        if kind not in difference.HARMLESS_KINDS
    ]
    words = f"{result['verdict']}: {', '.join(kinds)}, first at {result['first']['where']}"
    return markdown.cell(words)


def block(
    models: Sequence[Mapping[str, Any]],
    lock: versions_lock.Lock,
    versions: Mapping[str, Sequence[str]],
) -> str:
    """Returns the table.

    Args:
      models: what `model_facts` wrote.
      lock: the rows by model.
      versions: the TensorFlows by converter; the others are compared with the first of each.
    """
    first, *others = dict.fromkeys(version for each in versions.values() for version in each)
    rows, compared = [], 0
    for facts in sorted(models, key=lambda facts: facts["name"]):
        results = lock.get(facts["target"], {"versions": {}})["versions"]
        having = versions[facts["converter"]]
        compared += all(version in results for version in having[1:])
        cells = [
            _cell(results.get(version, {})) if version in having else _NOTHING for version in others
        ]
        rows.append([markdown.code(facts["name"]), facts["converter"].upper(), *cells])
    return (
        f"{len(rows)} models, {compared} of them by every TensorFlow with their converter, compared"
        f" with those of TensorFlow {first}:\n\n"
    ) + markdown.table(("`//models:`", "converter", *others), rows)


def main(argv: Sequence[str]) -> None:
    page, facts, lock, versions, output = argv[1:]
    models = json.loads(cli.read_file(facts, "facts"))
    rows = versions_lock.parse(cli.read_file(lock, "lock"), lock)
    text = blocks.replaced(page, block(models, rows, json.loads(versions)))
    with cli.output_file(output, "w") as stream:
        stream.write(text)


if __name__ == "__main__":
    cli.run(main, positional=5)
