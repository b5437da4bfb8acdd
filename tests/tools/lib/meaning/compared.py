"""What the tests of the comparison share."""

from hypothesis import HealthCheck, settings

from reproducible_tflite.lib.meaning import comparison, structure
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.lib.tflite_file import models

PROPERTY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def compare(left, right) -> comparison.Comparison:
    """Compares two models, each packed or not, and holds the digests of their structure to it."""
    packed = [part if isinstance(part, bytes) else models.pack(part) for part in (left, right)]
    result = comparison.compare(*packed)
    read = [reader.read(part, "x") for part in packed]
    if not any(model.newer for model in read):
        same = structure.digest(read[0]) == structure.digest(read[1])
        assert same == result.is_at_least(comparison.SAME_GRAPH), result.text()
    return result


def changes(compared: comparison.Comparison) -> list[tuple]:
    """Returns the differences that change the meaning."""
    return [(d.kind, d.where, d.left, d.right) for d in compared.differences if d.changes_meaning]
