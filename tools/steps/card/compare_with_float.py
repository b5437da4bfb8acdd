"""Runs a model and its float sibling on photographs and writes the differences of their outputs.

Usage: compare_with_float --model=X_int8.tflite --float_model=X.tflite --float_name=X
  --preprocessing=minus_one_to_one --photographs=A.png,B.png --output=X_int8.comparison.json
"""

import json
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.card import comparison

_MODEL = flags.DEFINE_string("model", None, "The .tflite.", required=True)
_FLOAT_MODEL = flags.DEFINE_string("float_model", None, "Its float sibling.", required=True)
_FLOAT_NAME = flags.DEFINE_string("float_name", None, "The float sibling's name.", required=True)
_PREPROCESSING = flags.DEFINE_string(
    "preprocessing", None, "The name of both models' preprocessing.", required=True
)
_PHOTOGRAPHS = flags.DEFINE_list("photographs", None, "PNG or JPEG files.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The JSON to write.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    sources = (_MODEL.value, _FLOAT_MODEL.value)
    contents = [cli.read_file(path, ".tflite") for path in sources]
    document = comparison.document(*contents, sources, _PREPROCESSING.value, _PHOTOGRAPHS.value)
    with cli.output_file(_OUTPUT.value, "w") as stream:
        json.dump({"float_model": _FLOAT_NAME.value, **document}, stream, indent=1)
        stream.write("\n")


if __name__ == "__main__":
    cli.run(main)
