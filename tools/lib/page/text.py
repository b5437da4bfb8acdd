"""Formats numbers and names for pages, independently of the locale."""

import re

import markupsafe


def integer(value: int) -> str:
    """Returns 16567808 as "16,567,808"."""
    return f"{value:,}"


def _scaled(value: int, units: tuple[str, ...]) -> str:
    """Returns a number in the smallest unit that leaves at most three digits before the point."""
    scaled = float(value)
    unit = 0
    while scaled >= 999.5 and unit + 1 < len(units):
        scaled /= 1000
        unit += 1
    return f"{three_digits(scaled) if unit else value} {units[unit]}".rstrip()


def size(value: int) -> str:
    """Returns bytes with a decimal unit and three digits: 16567808 as "16.6 MB"."""
    return _scaled(value, ("bytes", "kB", "MB", "GB"))


def count(value: int) -> str:
    """Returns 4183218 as "4.18 M"; below a thousand the number itself."""
    return _scaled(value, ("", "k", "M", "G"))


def three_digits(value: float) -> str:
    """Returns a number between 0 and 1000 with three digits: "16.6", "4.18", "127"."""
    return (
        f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
    )


def real(value: float) -> str:
    """Returns a real number with four significant digits and a true minus sign."""
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def share(value: float) -> str:
    """Returns 0.0123 as "1.23 %"; a positive share that would round to zero as "< 0.01 %"."""
    if 0 < value < 0.00005:
        return "< 0.01 %"
    return f"{value * 100:.2f} %"


def shape(lengths: tuple[int, ...] | list[int]) -> str:
    """Returns [1, 320, 320, 3] as "1 × 320 × 320 × 3".

    The shape is empty for a scalar, and for a tensor that a custom operator sizes when it runs.
    """
    return (
        "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(
            "any" if length < 0 else str(length) for length in lengths
        )
        or "not stated"
    )


def layer(name: str) -> str:
    """Returns the first of the names that a converter joined for a fused layer, and their count."""
    first, *others = name.split(";")
    return f"{first} (+{len(others)})" if others and first else name


def breakable(name: str) -> markupsafe.Markup:
    """Returns a name, escaped, with line breaks allowed after "/", "_", ":" and ";"."""
    escaped = markupsafe.escape(name)
    return markupsafe.Markup(re.sub(r"(?<=[/_;:])(?=\w)", "<wbr>", str(escaped)))
