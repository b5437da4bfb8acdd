"""Compares the meaning of two files: `bazel run //tools/diff -- LEFT.tflite RIGHT.tflite`.

Either can also be a label, as in //models:x.

The exit code is like diff's: 0 if both mean the same, 1 if they differ, 2 after an error. The
verdict also says whether their bytes or their canonical bytes are the same.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import sys
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.bazel import labels
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import model_argument
from reproducible_tflite.lib.meaning import comparison, files, terminal

_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of text.")
_ALL = flags.DEFINE_bool("all", False, "List every difference, not only the first of each kind.")


def main(argv: Sequence[str]) -> None:
    """Compares two files, prints the result, and exits with 1 if they differ."""
    if len(argv) != 3:
        raise cli.UserError(
            f"two .tflite files are needed, not {len(argv) - 1}; give LEFT.tflite and RIGHT.tflite,"
            " or labels."
        )
    paths = [
        model_argument.build(given)[1] if labels.is_label(given) else given for given in argv[1:]
    ]
    contents = [files.read(path, ".tflite", as_map=True) for path in paths]
    result = comparison.compare(*contents, *argv[1:])
    if _JSON.value:
        sys.stdout.write(result.to_json())
    else:
        terminal.show(cli.console(), result, None if _ALL.value else comparison.DEFAULT_LIMIT)
    sys.exit(result.verdict == comparison.DIFFERENT)


if __name__ == "__main__":
    cli.run(main, positional=2, trouble=2)
