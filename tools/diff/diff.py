"""Compares the meaning of two files: `bazel run //tools/diff -- LEFT.tflite RIGHT.tflite`.

Either can also be a label, as in //models:x.

With --source, which names what the files were converted from, it also tells on which CPU and by
which TensorFlow their batch norms were folded; one file is then enough.

The exit code is like diff's: 0 if both mean the same, 1 if they differ, 2 after an error. With
--rounding, files that are the same but for the rounding of folded batch norms count as the same.
The verdict also says whether their bytes or their canonical bytes are the same, or, if they differ,
whether they are the same graph with other weights. For one file, the exit code is 0 if its folding
is explained in full.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import json
import sys
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.bazel import labels
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import model_argument
from reproducible_tflite.lib.meaning import comparison, files, terminal
from reproducible_tflite.lib.rounding import source

_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of text.")
_ALL = flags.DEFINE_bool("all", False, "List every difference, not only the first of each kind.")


def main(argv: Sequence[str]) -> None:
    """Compares two files, prints the result, and exits with 1 if they differ."""
    single = len(argv) == 2 and source.SOURCE.value
    if len(argv) != 3 and not single:
        raise cli.UserError(
            f"two .tflite files are needed, not {len(argv) - 1}; give LEFT.tflite and RIGHT.tflite,"
            " or labels."
        )
    paths = [
        model_argument.build(given)[1] if labels.is_label(given) else given for given in argv[1:]
    ]
    contents = [files.read(path, ".tflite", as_map=True) for path in paths]
    result = None if single else comparison.compare(*contents, *argv[1:])
    folded = source.explain(list(zip(contents, argv[1:], strict=True)))
    if result:
        result = source.confirmed(result, folded)
    if _JSON.value:
        value = json.loads(result.to_json()) if result else {}
        if folded:
            value["folded"] = [part.to_dict() for part in folded]
        json.dump(value, sys.stdout, indent=2)
        cli.say()
    else:
        if result:
            limit = None if _ALL.value else comparison.DEFAULT_LIMIT
            terminal.show(cli.console(), result, limit)
        for line in (line for part in folded for line in part.lines()):
            cli.say(line)
    sys.exit(not (source.accepts(result) if result else folded[0].is_complete))


if __name__ == "__main__":
    cli.run(main, positional=2, trouble=2)
