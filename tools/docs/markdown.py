"""Text as a page of Markdown needs it."""

import re
from collections.abc import Iterable, Sequence

# A span of code, or anything else that Markdown or a table would take for a sign of its own.
_SIGN = re.compile(r"(`+[^`]*`+)|([*<|])")


def cell(text: str) -> str:
    """Returns a text for a cell of a table: one line, in which every sign stands for itself.

    Spans of code stay; between backticks only the bar has a meaning, in a table.
    """
    paragraphs = re.split(r"\n\s*\n", text.strip())
    lines = [" ".join(paragraph.split()) for paragraph in paragraphs]
    escaped = [
        _SIGN.sub(lambda m: m[1].replace("|", "\\|") if m[1] else "\\" + m[2], line)
        for line in lines
    ]
    return "<br>".join(escaped)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table whose cells are Markdown already."""
    lines = [f"| {' | '.join(line)} |\n" for line in (header, *rows)]
    lines.insert(1, "|" + "---|" * len(header) + "\n")
    return "".join(lines)


def code(text: str) -> str:
    """Returns a text as a span of code in a cell."""
    return "`" + text.replace("|", "\\|") + "`"
