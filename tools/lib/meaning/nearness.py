"""Says how near the numbers of two files are that have the same graph."""

from collections.abc import Sequence

from reproducible_tflite.lib.meaning.difference import Difference

_OF_WEIGHTS = " weights"
_OF_BIAS = " bias"
# Weights of a folded batch norm, and so their scales, differ by some 1e-7 of themselves.
_LAST_BITS = 1e-5


def depends_on_samples(difference: Difference) -> bool:
    """Returns whether the samples on which ranges were measured can be the reason.

    They decide the scales of activations, and of biases, which have the scale of their layer's
    input and weights.
    """
    if difference.kind == "range":
        return True
    is_stored = difference.figures.get("unit") == "step"
    return (difference.kind == "quantization" and not difference.where.endswith(_OF_WEIGHTS)) or (
        difference.kind == "weights" and is_stored and difference.where.endswith(_OF_BIAS)
    )


def is_last_bits(difference: Difference) -> bool:
    """Returns whether a scale differs in last bits alone, as on another processor."""
    figures = difference.figures
    return (
        difference.kind == "quantization"
        and figures.get("unit") == "ulp"
        and figures["maximum"] <= _LAST_BITS * figures["peak"]
    )


def _group(difference: Difference) -> str:
    """Returns the numbers that a difference is one of, in words."""
    if difference.kind == "quantization":
        place = next((end for end in (_OF_WEIGHTS, _OF_BIAS) if difference.where.endswith(end)), "")
        of = {_OF_WEIGHTS: "weights", _OF_BIAS: "biases"}.get(place, "activations")
        return f"{difference.detail}s of {of}"
    return "biases" if difference.where.endswith(_OF_BIAS) else "weights"


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"


def _apart(differences: Sequence[Difference]) -> str:
    """Returns how many numbers of one group and unit differ, and by how much, in words."""
    figures = [difference.figures for difference in differences]
    count, units = sum(part["count"] for part in figures), max(part["units"] for part in figures)
    total = sum(part["total"] for part in figures)
    apart = _counted(units, figures[0]["unit"])
    if figures[0]["unit"] == "ulp":
        parts = [part["maximum"] / part["peak"] for part in figures if part["peak"]]
        most = 100 * max(parts, default=0.0)
        percent = f"{most:.2g}" if most < 10 else f"{most:,.0f}"
        ulp = f"{units:,} ulp, " if most < 1 else ""
        apart = f"{ulp}{percent}% of their tensor's largest"
    return f"{count:,} of {total:,} in {_counted(len(figures), 'tensor')} by at most {apart}"


def lines(differences: Sequence[Difference]) -> list[str]:
    """Returns lines for people: how many scales, zero points, weights and biases differ, and how.

    Args:
      differences: those of two files of the same graph.
    """
    groups: dict[tuple[str, str], list[Difference]] = {}
    for difference in differences:
        if difference.kind in ("quantization", "weights") and difference.figures:
            key = (_group(difference), difference.figures["unit"])
            groups.setdefault(key, []).append(difference)
    return [f"{group} that differ: {_apart(rows)}" for (group, _), rows in groups.items()]
