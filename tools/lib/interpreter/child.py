"""An object in a child process, with limits of memory and time.

The interpreter trusts its model: a damaged or hostile one can crash the process, run forever, or
take all memory. In a child, each of these ends in one sentence.

The child is forked, so it starts with what the program has imported, and takes any arguments.
"""

import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import os
import re
import signal
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from reproducible_tflite.lib.cli import cli

# The largest published model loads and runs in a fraction of this.
SECONDS = 300.0
# All tensors of the largest published model take less than 2 GB together.
MAXIMUM_BYTES = 16 << 30

# How often the child's memory is looked at, in seconds.
_INTERVAL = 0.1
# prctl(2)
_PR_SET_PDEATHSIG = 1


class _Bug(Exception):
    """The traceback of an error that no person's mistake explains."""


def how_it_ended(code: int) -> str:
    """Returns how a process ended, as a phrase.

    Args:
      code: its exit code; a negative one is the signal that ended it, as in subprocess.
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def available_bytes(meminfo: str) -> int:
    """Returns how much memory a child may take: what the machine has free, at most 16 GiB.

    Args:
      meminfo: the content of /proc/meminfo.
    """
    free = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    return min(int(free[1]) * 1024, MAXIMUM_BYTES) if free else MAXIMUM_BYTES


def _read(path: str) -> str:
    """Returns the content of one of the kernel's files; "" where it has none."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except OSError:
        return ""


def _resident(process: int) -> int:
    """Returns a process's resident set in bytes; 0 if the kernel does not say."""
    fields = _read(f"/proc/{process}/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_process() -> None:
    """Leaves Ctrl-C to the parent, ends with it, and drops what libraries log."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # TensorFlow Lite logs delegates there, and errors that it raises anyway.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with contextlib.suppress(OSError):
        # If the machine runs out of memory, the kernel ends this process first.
        with open("/proc/self/oom_score_adj", "w", encoding="utf-8") as stream:
            stream.write("1000")


def _outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns a function's result, or its error as an object."""
    try:
        return function(*arguments)
    except cli.UserError as error:
        return error
    except Exception:
        return _Bug(traceback.format_exc())


def _serve(
    connection: multiprocessing.connection.Connection,
    other: multiprocessing.connection.Connection,
    make: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    """Makes the object and calls its methods on request; the main function of a child."""
    other.close()
    _prepare_process()
    served = _outcome(make, *arguments)
    # A pipe that is closed at the other end is the program's way to end this process.
    with contextlib.suppress(EOFError, OSError):
        connection.send(served if isinstance(served, Exception) else None)
        while True:
            name, values = connection.recv()
            connection.send(_outcome(getattr(served, name), *values))


def _end(
    owner: int,
    connection: multiprocessing.connection.Connection,
    process: multiprocessing.process.BaseProcess,
) -> None:
    # A later child has copies of the objects of earlier ones.
    if os.getpid() == owner:
        connection.close()
        process.kill()
        process.join()


class Child:
    """The child process, seen from the program.

    Attributes:
      source: the model's name, for messages.
    """

    def __init__(self, source: str, make: Callable[..., Any], *arguments: Any) -> None:
        """Starts a child; `ready` waits for it.

        Args:
          source: the model's name, for messages.
          make: makes the object in the child.
          *arguments: what it takes.
        """
        self.source = source
        context = multiprocessing.get_context("fork")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self._connection, make, arguments), daemon=True
        )
        with _interrupts_blocked():
            self._process.start()
        theirs.close()
        self._limit = available_bytes(_read("/proc/meminfo"))
        # The child shares the program's memory at first.
        self._most = _resident(self._process.pid) + self._limit
        self.close = weakref.finalize(self, _end, os.getpid(), self._connection, self._process)

    def _stop(self, problem: str) -> None:
        self.close()
        raise cli.MachineError(f"{self.source}: {problem}; give another model.")

    def _died(self) -> None:
        self._process.join()
        code = self._process.exitcode or 0
        self.close()
        how = f"{self.source}: the interpreter's process {how_it_ended(code)}"
        if code == -signal.SIGKILL:
            raise cli.MachineError(f"{how}; the machine has too little memory for the model.")
        raise cli.UserError(
            f"{how}; the model makes it crash, or asks for more memory at once than there is."
        )

    def _answer(self, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        try:
            while not self._connection.poll(_INTERVAL):
                if _resident(self._process.pid) > self._most:
                    self._stop(
                        f"the model takes more than {self._limit / (1 << 30):.1f} GiB of memory"
                        " and was stopped"
                    )
                if time.monotonic() > deadline:
                    self._stop(
                        f"the model did not end within {seconds:g} seconds and was stopped, since"
                        " it may run forever"
                    )
            answer = self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._died()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ready(self, seconds: float = SECONDS) -> None:
        """Waits until the object is made.

        Args:
          seconds: how long it may take.

        Raises:
          cli.UserError: making it raised this, or ended the process.
          cli.MachineError: it took too long or too much memory.
        """
        self._answer(seconds)

    def call(self, method: str, *arguments: Any, seconds: float = SECONDS) -> Any:
        """Calls a method of the object and returns its result.

        Args:
          method: its name.
          *arguments: what it takes.
          seconds: how long it may take.

        Raises:
          cli.UserError: as for `ready`; or the child has ended before.
        """
        if not self.close.alive:
            raise cli.UserError(f"{self.source}: the interpreter's process has ended.")
        # If the child has died, `_answer` says how.
        with contextlib.suppress(BrokenPipeError):
            self._connection.send((method, arguments))
        return self._answer(seconds)
