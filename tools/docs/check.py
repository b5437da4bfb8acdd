"""Checks that a page is what is generated for it.

Its arguments are those of `check`.
"""

import difflib
from collections.abc import Sequence

from reproducible_tflite.lib.cli import cli


def check(page: str, written: str, source: str) -> None:
    """Compares two files.

    Args:
      page: the page.
      written: what it has to be.
      source: what it is written from, in words.

    Raises:
      UserError: they differ; before it, the difference is printed.
    """
    before, after = (cli.read_file(path, "page").decode("utf-8") for path in (page, written))
    if before != after:
        lines = (text.splitlines(keepends=True) for text in (before, after))
        cli.note("".join(difflib.unified_diff(*lines, page, written, n=0)).rstrip())
        raise cli.UserError(f"{page} is not what {source} say; run `bazel run //docs:update`.")


def main(argv: Sequence[str]) -> None:
    check(*argv[1:])


if __name__ == "__main__":
    cli.run(main, positional=3)
