"""What every property test of readers and writers keeps to; CI runs the same each time."""

import resource

from hypothesis import HealthCheck, settings

_MEMORY = 4 << 30


def bound_memory() -> None:
    """Makes what would take the machine's memory fail instead, in this process."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def examples(count: int) -> settings:
    """Returns settings for as many examples, the same ones in every run."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
