"""The TensorFlows at hand, and which of them to try."""

from collections.abc import Sequence

from reproducible_tflite.lib.bazel import building, labels
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.recover import at_hand
from reproducible_tflite.recover.versions import Range, parsed

# How many to try if none fits exactly.
_NEAREST = 2
_TARGET = "//tools/lib/plain_conversion:convert_"


def check(wanted: Sequence[str]) -> None:
    """Checks the versions that a person names.

    Raises:
      cli.UserError: one of them is not pinned here.
    """
    for version in wanted:
        if version not in at_hand.VERSIONS:
            raise cli.UserError(
                f"--tensorflow={version}: is not pinned here; choose among"
                f" {', '.join(at_hand.VERSIONS)}."
            )


def _distance(version: str, fitting: Range) -> tuple[float, ...]:
    number = parsed(version)
    ends = [parsed(end) for end in (fitting.least, fitting.below) if end]
    # Minor versions count; a major one is further than any of them.
    return min(
        (
            (abs(number[0] - end[0]) * 100.0 + abs(number[1] - end[1]), float(number > end))
            for end in ends
        ),
        # A range without ends is as near to each.
        default=(0.0, 0.0),
    )


def choose(fitting: Range, versions: Sequence[str] = at_hand.VERSIONS) -> tuple[list[str], bool]:
    """Returns the versions to try first, and whether they fit what the file says.

    Args:
      fitting: the versions that can have made the file.
      versions: those at hand.
    """
    if fitting.is_contradictory or not (fitting.least or fitting.below):
        return sorted(versions, key=parsed, reverse=True), True
    admitted = sorted(filter(fitting.admits, versions), key=parsed, reverse=True)
    if admitted:
        return admitted, True
    return nearest(fitting, versions)[:_NEAREST], False


def nearest(fitting: Range, versions: Sequence[str] = at_hand.VERSIONS) -> list[str]:
    """Returns the versions, those nearest to a range first."""
    return sorted(versions, key=lambda version: _distance(version, fitting))


def build(version: str, options: Sequence[str]) -> str | None:
    """Builds a TensorFlow's converter, which fetches that TensorFlow if it is not there.

    Args:
      version: one of `at_hand.VERSIONS`.
      options: flags for Bazel.

    Returns:
      The program; None if it cannot be had on this machine.
    """
    try:
        built = building.build(labels.own(_TARGET + version), options)
    except cli.UserError:
        cli.note(f"TensorFlow {version} cannot be had here, so it is left out.")
        return None
    (program,) = built.files["default"]
    return program
