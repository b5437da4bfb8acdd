"""Describes the machine, and how busy other processes kept it during a measurement."""

import dataclasses
import os
import re

# Positions of the fields in the first line of /proc/stat that count work: user, nice, system, irq,
# softirq and steal (proc(5)). user and nice already include guests.
_BUSY = (0, 1, 2, 5, 6, 7)


@dataclasses.dataclass(frozen=True)
class Moment:
    """The machine at one moment.

    Attributes:
      busy: CPU seconds of all processors since boot.
      load: the load average of the last minute.
    """

    busy: float
    load: float


@dataclasses.dataclass(frozen=True)
class Machine:
    """The machine while something was measured.

    Attributes:
      processor: the processors' name.
      processors: how many of them this process may use.
      load_before: the load average of the minute before the measurement.
      load_after: the load average of its last minute.
      others: the share of all processors' time that other processes used, from 0 to 1.
    """

    processor: str
    processors: int
    load_before: float
    load_after: float
    others: float


def busy_seconds(stat: str, ticks: int) -> float:
    """Returns the CPU seconds of all processors since boot.

    Args:
      stat: the content of /proc/stat.
      ticks: clock ticks per second.
    """
    fields = stat.split("\n", 1)[0].split()[1:]
    return sum(int(fields[place]) for place in _BUSY if place < len(fields)) / ticks


def processor_name(cpuinfo: str) -> str:
    """Returns the processors' name from the content of /proc/cpuinfo."""
    line = re.search(r"^(?:model name|Hardware)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return line[1].strip() if line else "unknown processor"


def moment() -> Moment:
    """Returns the machine's present state."""
    with open("/proc/stat", encoding="utf-8") as stream:
        busy = busy_seconds(stream.read(), os.sysconf("SC_CLK_TCK"))
    return Moment(busy, os.getloadavg()[0])


def between(before: Moment, after: Moment, elapsed: float, own: float) -> Machine:
    """Returns the machine as it was between two moments.

    Args:
      before: the first moment.
      after: the second moment.
      elapsed: the seconds between them.
      own: the CPU seconds that the benchmark itself used.
    """
    with open("/proc/cpuinfo", encoding="utf-8") as stream:
        name = processor_name(stream.read())
    processors = os.cpu_count() or 1
    others = (after.busy - before.busy - own) / max(elapsed * processors, 1e-9)
    return Machine(
        name,
        len(os.sched_getaffinity(0)),
        before.load,
        after.load,
        min(max(others, 0.0), 1.0),
    )
