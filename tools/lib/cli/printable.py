"""Values as text for people."""

from typing import Any


def printable(value: Any) -> str:
    """Returns a value as a cell: nothing for None, lists without spaces, numbers as they are."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(printable(item) for item in value) + "]"
    # Names come from files that anybody may have made: nothing of theirs reaches the terminal raw.
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
