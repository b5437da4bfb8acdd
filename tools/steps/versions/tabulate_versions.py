"""Combines the reports of `compare_versions` into a table and a JSON file."""

import json
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.versions import table

_TITLE = flags.DEFINE_multi_string("title", [], "A TensorFlow's name, the baseline's first.")
_REPORT = flags.DEFINE_multi_string("report", [], "A report of compare_versions.")
_JSON = flags.DEFINE_string("json", None, "The JSON to write.", required=True)
_TEXT = flags.DEFINE_string("text", None, "The table to write.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    reports = [json.loads(cli.read_file(path, "report")) for path in _REPORT.value]
    summary = {"tensorflows": _TITLE.value, "rule": table.RULE, "models": reports}
    with cli.output_file(_JSON.value, "w") as stream:
        json.dump(summary, stream, indent=2)
        stream.write("\n")
    with cli.output_file(_TEXT.value, "w") as stream:
        stream.write(table.render(_TITLE.value, reports))


if __name__ == "__main__":
    cli.run(main)
