"""Describes the machine, and how busy other processes kept it during a measurement."""

import dataclasses
import os
import re
import time

# Positions of the fields in the first line of /proc/stat that count work: user, nice, system, irq,
# softirq and steal (proc(5)). user and nice already include guests.
_BUSY = (0, 1, 2, 5, 6, 7)


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


def share_of_others(busy: float, own: float, elapsed: float) -> float:
    """Returns the share of all processors' time that other processes used, from 0 to 1.

    Args:
      busy: the CPU seconds of all processes.
      own: the CPU seconds of the benchmark itself.
      elapsed: seconds.
    """
    others = (busy - own) / max(elapsed * (os.cpu_count() or 1), 1e-9)
    return min(max(others, 0.0), 1.0)


def _busy() -> float:
    with open("/proc/stat", encoding="utf-8") as stream:
        return busy_seconds(stream.read(), os.sysconf("SC_CLK_TCK"))


def _own() -> float:
    """Returns the CPU seconds of this process and its finished children."""
    return sum(os.times()[:4])


class Watch:
    """Watches the machine from the moment this is created."""

    def __init__(self) -> None:
        self._busy, self._begun, self._used = _busy(), time.monotonic(), _own()
        self._load = os.getloadavg()[0]

    def end(self, earlier: float = 0.0) -> Machine:
        """Returns the machine's state since then.

        Args:
          earlier: CPU seconds that children who have finished since then used before.
        """
        own = _own() - self._used - earlier
        elapsed = time.monotonic() - self._begun
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            name = processor_name(stream.read())
        return Machine(
            processor=name,
            processors=len(os.sched_getaffinity(0)),
            load_before=self._load,
            load_after=os.getloadavg()[0],
            others=share_of_others(_busy() - self._busy, own, elapsed),
        )
