"""Shows what is in a .tflite: `bazel run //tools/inspect -- FILE.tflite` or `… -- //models:x`.

It takes any file, also a foreign one. `--json` prints the report that report.schema.json describes;
for a label, this is the model's x.report.json.

Example: bazel run //tools/inspect -- --all //models:mobiledet_qat
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from reproducible_tflite.inspect import tables
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import model_argument
from reproducible_tflite.lib.meaning import structure
from reproducible_tflite.lib.tflite_file import report

_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of tables.")
_ALL = flags.DEFINE_bool("all", False, "List every layer and every tensor.")


def _report(given: str) -> dict[str, Any]:
    model = model_argument.resolve(given, ["report"], as_map=True)
    if model.groups:
        (path,) = model.groups["report"]
        return json.loads(cli.read_file(path, "report"))
    name = os.path.basename(model.path)
    return report.build(
        model.model,
        model.content,
        name,
        weights=model.weights or None,
        structure=structure.digest(model.model),
    )


def main(argv: Sequence[str]) -> None:
    """Prints the report of one model."""
    if len(argv) != 2:
        raise cli.UserError(
            f"one model is needed, not {len(argv) - 1}; give FILE.tflite or //models:NAME."
        )
    document = _report(argv[1])
    if _JSON.value:
        sys.stdout.write(report.text(document))
    else:
        tables.show(cli.console(), document, _ALL.value)


if __name__ == "__main__":
    cli.run(main, positional=1)
