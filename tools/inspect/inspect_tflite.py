"""Shows what is in a .tflite: `bazel run //tools/inspect -- FILE.tflite` or `… -- //models:x`.

Any file will do, also a foreign one. `--json` prints what report.schema.json describes; of a model
given by its label that is its x.report.json.

Example: bazel run //tools/inspect -- --all //models:mobiledet_qat
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags
from rich.console import Console

from tools.inspect import tables
from tools.lib.cli import cli
from tools.lib.interpreter import model_argument
from tools.lib.tflite_file import report

_JSON = flags.DEFINE_bool("json", False, "Prints JSON instead of tables.")
_ALL = flags.DEFINE_bool("all", False, "Lists every layer and every tensor.")


def _report(given: str) -> dict[str, Any]:
    found = model_argument.resolve(given, ["report"])
    if found.groups:
        (path,) = found.groups["report"]
        return json.loads(cli.read_file(path, "report"))
    name = os.path.basename(found.path)
    return report.build(found.model, found.content, name, weights=found.weights or None)


def main(argv: Sequence[str]) -> None:
    """Prints the report of one model."""
    if len(argv) != 2:
        raise cli.UserError(
            f"one model is shown, not {len(argv) - 1}; give FILE.tflite or //models:NAME."
        )
    made = _report(argv[1])
    if _JSON.value:
        sys.stdout.write(report.text(made))
    else:
        tables.show(Console(), made, _ALL.value)


if __name__ == "__main__":
    cli.run(main, positional=1)
