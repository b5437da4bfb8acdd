"""Writes the canonical form of a frozen GraphDef.

Usage: canonicalize_graph_def --input=GRAPH.pb --output=CANONICAL.pb
"""

from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.canonicalize import graph_def

_INPUT = flags.DEFINE_string("input", None, "The binary GraphDef to read.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The binary GraphDef to write.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    canonical = graph_def.canonical_bytes(cli.read_file(_INPUT.value, "GraphDef"), _INPUT.value)
    with cli.output_file(_OUTPUT.value) as output:
        output.write(canonical)


if __name__ == "__main__":
    cli.run(main)
