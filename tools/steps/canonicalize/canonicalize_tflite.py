"""Writes the canonical form of a .tflite, with a description of its weights.

Usage: canonicalize_tflite --input=RAW.tflite --output=CANONICAL.tflite
  [--description=TEXT [--keep_description]]
"""

from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import canonical

_INPUT = flags.DEFINE_string("input", None, "The .tflite to read.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The .tflite to write.", required=True)
_DESCRIPTION = flags.DEFINE_string(
    "description", None, "The model's description. Default: the input's."
)
_KEEP_DESCRIPTION = flags.DEFINE_bool(
    "keep_description", False, "Whether the input's own description follows --description."
)


def main(argv: Sequence[str]) -> None:
    del argv
    content = cli.read_file(_INPUT.value, ".tflite")
    output_bytes = canonical.canonical_bytes(
        content, _INPUT.value, _DESCRIPTION.value, _KEEP_DESCRIPTION.value
    )
    with cli.output_file(_OUTPUT.value) as output:
        output.write(output_bytes)


if __name__ == "__main__":
    cli.run(main)
