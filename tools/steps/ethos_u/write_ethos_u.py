"""Writes what an Arm Ethos-U runs of a model.

Usage: write_ethos_u --model=x.tflite --accelerator=ethos-u55-128 --output=x.ethos_u.json
"""

import os
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import reader, report
from reproducible_tflite.steps.ethos_u import ethos_u

_MODEL = flags.DEFINE_string("model", None, "The .tflite.", required=True)
_ACCELERATOR = flags.DEFINE_string("accelerator", None, "The Ethos-U.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The JSON to write.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    content = cli.read_file(_MODEL.value, ".tflite")
    model = reader.read(content, _MODEL.value)
    name = os.path.basename(_MODEL.value)
    document = ethos_u.document(model, content, name, _ACCELERATOR.value)
    with cli.output_file(_OUTPUT.value, "w") as stream:
        stream.write(report.text(document))


if __name__ == "__main__":
    cli.run(main)
