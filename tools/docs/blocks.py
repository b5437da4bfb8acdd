"""The part of a page that is generated, between two comments that nobody sees on the page."""

from reproducible_tflite.lib.cli import cli

_BEGIN = "<!-- Written by `bazel run //docs:update`: -->\n"
_END = "<!-- The end of what is written. -->\n"


def replaced(path: str, block: str) -> str:
    """Returns the text of a page with another block between its markers.

    Raises:
      UserError: the page cannot be read, or has not one pair of markers.
    """
    page = cli.read_file(path, "page").decode("utf-8")
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end or _BEGIN in rest or _END in before + after:
        raise cli.UserError(
            f"{path}: needs the line {_BEGIN.strip()!r} once, and below it {_END.strip()!r} once,"
            " around what is generated; put them back."
        )
    return f"{before}{begin}\n{block}\n{end}{after}"
