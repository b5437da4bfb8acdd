"""Writes a model's report: its contents and the build's facts about it.

Usage: write_report --model=X.tflite --build='{"converter": "toco", …}' --output=X.report.json
"""

import json
import os
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import structure
from reproducible_tflite.lib.tflite_file import reader, report

_MODEL = flags.DEFINE_string("model", None, "The .tflite.", required=True)
_BUILD = flags.DEFINE_string(
    "build", "null", "The facts of tools/tflite/private/report.bzl about the model, as JSON."
)
_OUTPUT = flags.DEFINE_string("output", None, "The JSON to write.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    content = cli.read_file(_MODEL.value, ".tflite")
    model = reader.read(content, _MODEL.value)
    facts = json.loads(_BUILD.value)
    name = os.path.basename(_MODEL.value)
    document = report.build(model, content, name, facts, structure=structure.digest(model))
    with cli.output_file(_OUTPUT.value, "w") as stream:
        stream.write(report.text(document))


if __name__ == "__main__":
    cli.run(main)
