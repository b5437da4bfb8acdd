"""Compares what two .tflite files mean: `bazel run //tools/diff -- LEFT.tflite RIGHT.tflite`.

Exit code, like diff's: 0 when both mean the same (the verdict says whether their bytes, or their
canonical bytes, are the same too), 1 when they differ, 2 when something went wrong.
"""

import sys
from collections.abc import Sequence

from absl import flags
from rich.console import Console

from tools.lib.cli import cli
from tools.lib.meaning import comparison, files, terminal

_JSON = flags.DEFINE_bool("json", False, "Prints JSON instead of text.")
_ALL = flags.DEFINE_bool("all", False, "Lists every difference, however many of a kind there are.")


def main(argv: Sequence[str]) -> None:
    """Compares, prints, and exits with 1 for other meanings."""
    if len(argv) != 3:
        raise cli.UserError(
            f"two .tflite files are compared, not {len(argv) - 1}; "
            "give LEFT.tflite and RIGHT.tflite."
        )
    contents = [files.read(path, ".tflite") for path in argv[1:]]
    found = comparison.compare(*contents, *argv[1:])
    if _JSON.value:
        sys.stdout.write(found.to_json())
    else:
        terminal.show(Console(), found, None if _ALL.value else comparison.DEFAULT_LIMIT)
    sys.exit(found.verdict == comparison.DIFFERENT)


if __name__ == "__main__":
    cli.run(main, positional=2, trouble=2)
