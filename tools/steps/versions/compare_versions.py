"""Compares the files that several TensorFlows made for a model.

Usage: compare_versions --model=LABEL --converter=toco --file=2.15.1=A.tflite --file=2.17.1=B.tflite
"""

import json
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import conversions

_MODEL = flags.DEFINE_string("model", None, "The model's label.", required=True)
_CONVERTER = flags.DEFINE_enum("converter", None, ["mlir", "toco"], "The converter.", required=True)
_FILE = flags.DEFINE_multi_string(
    "file", [], "VERSION=PATH of a TensorFlow's file; the first is the baseline."
)
_LEFT_OUT = flags.DEFINE_multi_string("left_out", [], "A version without the converter.")
_OUTPUT = flags.DEFINE_string("output", None, "The JSON to write.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    files = {}
    for given in _FILE.value:
        version, separator, path = given.partition("=")
        if not separator:
            raise cli.UserError(f"--file={given}: give VERSION=PATH.")
        files[version] = cli.read_file(path, ".tflite")
    if not files:
        raise cli.UserError(f"{_MODEL.value}: none of the versions has {_CONVERTER.value}.")
    report = conversions.report(_MODEL.value, _CONVERTER.value, files, _LEFT_OUT.value)
    with cli.output_file(_OUTPUT.value, "w") as stream:
        json.dump(report, stream, indent=2)
        stream.write("\n")


if __name__ == "__main__":
    cli.run(main)
