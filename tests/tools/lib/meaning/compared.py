"""What the tests of the comparison share."""

from hypothesis import HealthCheck, settings

from reproducible_tflite.lib.meaning import comparison
from tests.tools.lib.tflite_file import models

PROPERTY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def compare(left, right) -> comparison.Comparison:
    """Compares two models, each packed or not."""
    packed = [part if isinstance(part, bytes) else models.pack(part) for part in (left, right)]
    return comparison.compare(*packed)


def changes(compared: comparison.Comparison) -> list[tuple]:
    """Returns the differences that change the meaning."""
    return [(d.kind, d.where, d.left, d.right) for d in compared.differences if d.changes_meaning]
