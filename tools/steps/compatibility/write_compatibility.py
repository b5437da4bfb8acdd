"""Writes where a model runs: runtime, XNNPACK, GPU delegate, Edge TPU.

Usage: write_compatibility --model=x.tflite --output=x.compatibility.json
"""

import os
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import reader, report
from reproducible_tflite.steps.compatibility import compatibility

_MODEL = flags.DEFINE_string("model", None, "The .tflite.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The JSON to write.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    content = cli.read_file(_MODEL.value, ".tflite")
    model = reader.read(content, _MODEL.value)
    document = compatibility.document(model, content, os.path.basename(_MODEL.value))
    with cli.output_file(_OUTPUT.value, "w") as stream:
        stream.write(report.text(document))


if __name__ == "__main__":
    cli.run(main)
