"""Limits for the property tests of readers and writers, and reproducible settings."""

import resource

from hypothesis import HealthCheck, settings

_MEMORY = 4 << 30


def bound_memory() -> None:
    """Limits this process's memory, so that excessive allocations fail."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def examples(count: int) -> settings:
    """Returns settings for a number of examples, which are the same in every run."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
