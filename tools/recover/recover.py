"""Finds how a .tflite was made: `bazel run //tools/recover -- PUBLISHED.tflite`.

From the file alone it tells the converter, the TensorFlows that fit, the quantization, and what a
recipe must state, with the evidence for each.

Example: bazel run //tools/recover -- --json detect.tflite
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import sys
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import files
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.recover import presentation, reading

_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of text.")
_ALL = flags.DEFINE_bool("all", False, "List all evidence.")


def main(argv: Sequence[str]) -> None:
    """Prints what a file tells."""
    if len(argv) != 2:
        raise cli.UserError("one .tflite is needed; give PUBLISHED.tflite.")
    content = files.read(argv[1], ".tflite", as_map=True)
    model = reader.read(content, argv[1])
    findings = reading.findings(model, content)
    if _JSON.value:
        document = {
            "file": argv[1],
            "sha256": reading.sha256(content),
            "findings": [finding.to_dict() for finding in findings],
        }
        sys.stdout.write(presentation.to_json(document))
    else:
        presentation.show_findings(cli.console(), findings, _ALL.value)


if __name__ == "__main__":
    cli.run(main, positional=1)
