import contextlib
import os
import signal
import time
from unittest import mock

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import child


class _Served:
    """What the child has; every method is one way to behave."""

    def __init__(self, number: int = 0) -> None:
        if number < 0:
            raise cli.UserError("the number is negative.")
        self._number = number

    def add(self, more: int) -> int:
        self._number += more
        return self._number

    def mistake(self) -> None:
        raise cli.UserError("net: a mistake.")

    def bug(self) -> None:
        raise ZeroDivisionError("in the child")

    def end(self, number: int) -> None:
        os.kill(os.getpid(), number)

    def sleep(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"

    def fill(self) -> None:
        kept = []
        while True:
            kept.append(b"x" * (10 << 20))
            time.sleep(0.01)

    def write(self) -> None:
        os.write(2, b"a library's log")


def _is_running(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class ChildTest(parameterized.TestCase):
    def _child(self, *arguments: object) -> child.Child:
        started = child.Child("net", _Served, *arguments)
        self.addCleanup(started.close)
        return started

    def test_methods_run_in_the_child(self):
        net = self._child(3)
        net.ready()
        self.assertEqual([net.call("add", 1), net.call("add", 2)], [4, 6])

    def test_errors_come_as_they_are(self):
        with self.assertRaisesRegex(cli.UserError, "^the number is negative.$"):
            self._child(-1).ready()
        net = self._child()
        net.ready()
        with self.assertRaisesRegex(cli.UserError, "^net: a mistake.$"):
            net.call("mistake")
        with self.assertRaisesRegex(Exception, "ZeroDivisionError: in the child"):
            net.call("bug")
        self.assertEqual(net.call("add", 1), 1)

    @parameterized.parameters(
        (signal.SIGSEGV, "was ended by SIGSEGV; the model makes it crash, or asks for more memory"),
        (signal.SIGABRT, "was ended by SIGABRT; the model makes it crash"),
        (signal.SIGKILL, "was ended by SIGKILL; the machine has too little memory"),
    )
    def test_a_crash(self, number, message):
        net = self._child()
        net.ready()
        with self.assertRaisesRegex(
            cli.UserError, f"^net: the interpreter's process {message}"
        ) as caught:
            net.call("end", number)
        self.assertEqual(isinstance(caught.exception, cli.MachineError), number == signal.SIGKILL)
        with self.assertRaisesRegex(cli.UserError, "^net: the interpreter's process has ended"):
            net.call("add", 1)

    def test_too_long(self):
        net = self._child()
        net.ready()
        self.assertEqual(net.call("sleep", 0.2, seconds=60.0), "slept")
        with self.assertRaisesRegex(cli.MachineError, "^net: the model did not end within 0.5 sec"):
            net.call("sleep", 60, seconds=0.5)

    def test_too_much_memory(self):
        with mock.patch.object(child, "MAXIMUM_BYTES", 100 << 20):
            net = self._child()
        net.ready()
        with self.assertRaisesRegex(cli.UserError, "^net: the model takes more than 0.1 GiB of m"):
            net.call("fill")

    def test_it_takes_no_more_than_the_machine_has(self):
        for meminfo, expected in [
            ("MemTotal: 9 kB\nMemAvailable:   1024 kB\n", 1 << 20),
            (f"MemAvailable: {1 << 40} kB\n", 16 << 30),
            ("", 16 << 30),
        ]:
            with self.subTest(meminfo):
                self.assertEqual(child.available_bytes(meminfo), expected)

    def test_ctrl_c_is_the_programs(self):
        net = self._child()
        net.ready()
        net.call("end", signal.SIGINT)
        self.assertEqual(net.call("add", 1), 1)

    def test_what_a_library_logs_is_not_shown(self):
        reading, writing = os.pipe()
        kept = os.dup(2)
        os.dup2(writing, 2)
        try:
            net = self._child()
            net.ready()
            net.call("write")
        finally:
            os.dup2(kept, 2)
        os.close(writing)
        net.close()
        self.assertEqual(os.read(reading, 100), b"")

    def test_it_ends_with_the_object_and_with_the_program(self):
        net = self._child()
        process = net._process.pid
        del net
        self.doCleanups()
        self.assertFalse(_is_running(process))

        reading, writing = os.pipe()
        program = os.fork()
        if not program:
            endless = child.Child("net", _Served)
            with contextlib.suppress(BaseException):
                os.write(writing, str(endless._process.pid).encode())
                endless.call("sleep", 600)
            os._exit(0)
        process = int(os.read(reading, 100))
        os.kill(program, signal.SIGKILL)
        os.waitpid(program, 0)
        for _ in range(100):
            if not _is_running(process):
                return
            time.sleep(0.1)
        self.fail("the child outlives the program")

    def test_how_a_process_ended(self):
        for code, expected in [
            (3, "ended with exit code 3"),
            (-11, "was ended by SIGSEGV"),
            (-99, "was ended by signal 99"),
        ]:
            self.assertEqual(child.how_it_ended(code), expected)


if __name__ == "__main__":
    absltest.main()
