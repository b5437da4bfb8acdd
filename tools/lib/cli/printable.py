"""Values as text for people."""

from typing import Any


def printable(value: Any) -> str:
    """Returns a value as the text of a cell: "-" for None, lists without spaces."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(printable(item) for item in value) + "]"
    # Names come from untrusted files, so the terminal gets none of their control characters.
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def lines(text: Any) -> str:
    """Returns lines of text without control characters in them."""
    return "\n".join(printable(line) for line in str(text).split("\n"))
