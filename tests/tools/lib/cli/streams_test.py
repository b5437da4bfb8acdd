"""What a program writes and how it ends, whatever its streams and its flags are."""

import os
import signal
import subprocess
import sys
import time

from absl.testing import absltest, parameterized

_PROGRAM = """
import json
import sys
import time
from absl import flags
from reproducible_tflite.lib.cli import cli

_NUMBER = flags.DEFINE_float("number", 1.0, "A number.", lower_bound=0.0)
_NUMBERS = flags.DEFINE_multi_float("numbers", [], "Numbers.")
_COUNT = flags.DEFINE_integer("count", 1, "A count.")

def main(argv):
    kind = argv[1] if len(argv) > 1 else "say"
    if kind == "say":
        cli.say("first\\nsecond \\x1b[31m")
    elif kind == "print":
        for _ in range(10000):
            print("x" * 100)
    elif kind == "json":
        json.dump(list(range(100000)), sys.stdout)
    elif kind == "table":
        from rich.table import Table
        from rich.text import Text
        table = Table("name")
        table.add_row("[red] \\x1b[31m :smile:")
        table.add_row(Text("\\x1b[0m"))
        console = cli.console()
        console.print(table)
        console.print("plain \\x1b[31m")
    elif kind == "swallow":
        try:
            cli.say("x")
            sys.stdout.flush()
        except Exception:
            pass
    elif kind == "differs":
        print("different")
        sys.exit(1)
    elif kind == "fail":
        raise cli.UserError("the name \\x1b[31m\\r is bad.\\nSee there.")
    elif kind == "break":
        raise ValueError("\\x1b[31m")
    elif kind == "sleep":
        cli.say("asleep")
        time.sleep(60)
    elif kind == "tidy":
        cli.say("asleep")
        try:
            time.sleep(60)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt("Interrupted; nothing was kept.") from error
    cli.note("the end")

if "import" in sys.argv:
    print("asleep", flush=True)
    time.sleep(60)
cli.run(main, positional=None, trouble=2)
"""
_KINDS = ("say", "print", "json", "table", "differs")
_FULL = "ERROR: standard output cannot be written: No space left on device.\n"


class StreamsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.command = [sys.executable, self.create_tempfile(content=_PROGRAM).full_path]

    def _run(self, *arguments, **streams):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        return subprocess.run(
            [*self.command, *arguments], check=False, text=True, timeout=60, **streams
        )

    @parameterized.parameters(*_KINDS, "swallow", "--help", "--helpxml", "--helpfull")
    def test_a_full_disk_is_one_sentence(self, kind):
        with open("/dev/full", "w") as full:
            result = self._run(kind, stdout=full)
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr.removeprefix("the end\n"), _FULL)

    @parameterized.parameters(*_KINDS, "--help")
    def test_a_closed_pipe_is_no_error(self, kind):
        reader, writer = os.pipe()
        os.close(reader)
        result = self._run(kind, stdout=writer)
        os.close(writer)
        self.assertEqual(result.returncode, 1 if kind == "differs" else 0)
        self.assertIn(result.stderr, ("", "the end\n"))

    @parameterized.parameters(*_KINDS)
    def test_a_closed_standard_output_is_one_sentence(self, kind):
        result = self._run(kind, stdout=None, preexec_fn=lambda: os.close(1))
        self.assertEqual(result.returncode, 2)
        self.assertEndsWith(
            result.stderr, "ERROR: standard output cannot be written: Bad file descriptor.\n"
        )

    def test_an_unwritable_standard_error_changes_nothing(self):
        with open("/dev/full", "w") as full:
            results = [
                self._run("say", stderr=full),
                self._run("say", stderr=None, preexec_fn=lambda: os.close(2)),
            ]
            self.assertEqual(self._run("fail", stderr=full).returncode, 2)
        for result in results:
            self.assertEqual((result.returncode, result.stdout[:6]), (0, "first\n"))

    @parameterized.parameters("say", "table", "fail", "break")
    def test_a_terminal_gets_no_control_characters_of_a_name(self, kind):
        result = self._run(kind)
        written = result.stdout + result.stderr
        self.assertIn(r"\x1b[31m", written)
        self.assertNotIn("\x1b", written)
        self.assertNotIn("\r", written)

    def test_a_sentence_may_have_lines(self):
        self.assertEqual(
            self._run("fail").stderr, "ERROR: the name \\x1b[31m\\r is bad.\nSee there.\n"
        )

    def test_a_table_shows_text_as_it_is(self):
        self.assertIn(r"[red] \x1b[31m :smile:", self._run("table").stdout)

    @parameterized.parameters(
        "--help", "--helpshort", "--helpfull", "--helpxml", "-?", "--only_check_args"
    )
    def test_help_is_no_error(self, flag):
        result = self._run(flag)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    @parameterized.parameters("nan", "inf", "-inf", "1e999", "NaN", "-1", "x", "")
    def test_a_number_that_is_none_is_refused_in_one_sentence(self, value):
        for flag in ("number", "count") if value == "-1" else ("number", "numbers", "count"):
            if (flag, value) == ("count", "-1"):
                continue
            with self.subTest(flag):
                result = self._run(f"--{flag}={value}")
                self.assertEqual(result.returncode, 2)
                self.assertRegex(result.stderr, rf"\AERROR: flag --{flag}=.*; see --help\.\n\Z")
        self.assertEqual(self._run("--numbers=1", "--numbers=nan").returncode, 2)

    def test_an_integer_has_64_bits(self):
        self.assertEqual(self._run(f"--count={2**63 - 1}").returncode, 0)
        self.assertEqual(
            self._run(f"--count=-{2**63}").stderr,
            f"ERROR: flag --count=-{2**63}: is not a number of 64 bits; see --help.\n",
        )


class InterruptsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.command = [sys.executable, self.create_tempfile(content=_PROGRAM).full_path]

    @parameterized.parameters(
        ("import", "Interrupted.\n"),
        ("sleep", "Interrupted.\n"),
        ("tidy", "Interrupted; nothing was kept.\n"),
    )
    def test_ctrl_c_is_one_line(self, kind, line):
        process = subprocess.Popen(
            [*self.command, kind],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A terminal sends the signal to the whole group.
            start_new_session=True,
        )
        process.stdout.readline()
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, error), (130, line))

    def test_a_program_that_was_told_to_ignore_it_ignores_it(self):
        process = subprocess.Popen(
            [*self.command, "sleep"],
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.kill()
        process.communicate()


if __name__ == "__main__":
    absltest.main()
