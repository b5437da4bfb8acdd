"""What the machine is, and what others do on it meanwhile."""

import dataclasses
import os
import re

# The fields of the first line of /proc/stat that are work, by place: user, nice, system, irq,
# softirq, and what a hypervisor took (proc(5)). user and nice hold a guest's already.
_BUSY = (0, 1, 2, 5, 6, 7)


@dataclasses.dataclass(frozen=True)
class Moment:
    """The machine at one moment.

    Attributes:
      busy: seconds of work of all processors since the machine started.
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
      load_before: the load average of the minute before.
      load_after: that of the last minute of measuring.
      others: which part of all processors' time others took, from 0 to 1.
    """

    processor: str
    processors: int
    load_before: float
    load_after: float
    others: float


def busy_seconds(stat: str, ticks: int) -> float:
    """Returns the seconds of work since the machine started.

    Args:
      stat: what /proc/stat says.
      ticks: how many of its units a second has.
    """
    fields = stat.split("\n", 1)[0].split()[1:]
    return sum(int(fields[place]) for place in _BUSY if place < len(fields)) / ticks


def processor_name(cpuinfo: str) -> str:
    """Returns what /proc/cpuinfo calls the processors."""
    found = re.search(r"^(?:model name|Hardware)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else "unknown processor"


def moment() -> Moment:
    """Returns the machine now."""
    with open("/proc/stat", encoding="utf-8") as stream:
        busy = busy_seconds(stream.read(), os.sysconf("SC_CLK_TCK"))
    return Moment(busy, os.getloadavg()[0])


def between(before: Moment, after: Moment, elapsed: float, own: float) -> Machine:
    """Returns the machine as it was between two moments.

    Args:
      before: the first.
      after: the second.
      elapsed: the seconds between them.
      own: the seconds of work that were the benchmark's.
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
