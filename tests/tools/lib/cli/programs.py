"""Tries how every program that a person runs ends, whatever happens.

    bazel run //tests/tools/lib/cli:programs -- [--check=help ...] [tools/diff/diff ...]

Each is given --help, a full disk and a closed pipe as standard output, Ctrl-C after 0.5, 3 and 7
seconds, and for each of its numeric flags NaN, infinity, -1, 0 and a thousand million. It must end
in time, with an exit code of its own, without a traceback, and with one sentence or none. Without
a name, all are tried, which takes an hour. Bazel is a stand-in.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections.abc import Iterator, Sequence

from absl import flags
from rich.table import Table

from reproducible_tflite.lib.cli import cli
from tests.tools.lib.cli import inputs

_CHECKS = ("help", "full", "pipe", "interrupt", "numbers")
_CHECK = flags.DEFINE_multi_enum("check", list(_CHECKS), _CHECKS, "What to try.")
_NGINX = flags.DEFINE_string("nginx", None, "nginx's folder; the Bazel target sets this.")
_PHOTOGRAPH = flags.DEFINE_string("photograph", None, "A picture; the Bazel target sets this.")

_DELAYS = (0.5, 3.0, 7.0)
_VALUES = {
    "float": ("nan", "inf", "-1", "0", "1e9"),
    "int": ("nan", "inf", "-1", "0", "1000000000"),
}
_NOT_FINITE = ("nan", "inf")
# Seconds in which a program must end, on a busy machine; after Ctrl-C.
_LIMIT, _LIMIT_AFTER_INTERRUPT = 180, 20
# Seconds after which a server is interrupted.
_SERVING = 15
_DISK_IS_FULL = "output cannot be written: No space left on device."


@dataclasses.dataclass(frozen=True)
class Program:
    """A program and how it is called.

    Attributes:
      path: relative to the workspace.
      arguments: words in which FOLDER is the folder of the inputs, and WORKSPACE its part `quick`
        or, for Ctrl-C, `slow`.
      slow: further arguments for the trials of Ctrl-C.
      code: the exit code of the quick call.
      trouble: the exit code for an error.
      serves: whether it runs until Ctrl-C.
    """

    path: str
    arguments: str = ""
    slow: str = ""
    code: int = 0
    trouble: int = 1
    serves: bool = False


_PROGRAMS = (
    Program("tools/inspect/inspect", "FOLDER/float.tflite"),
    Program("tools/diff/diff", "FOLDER/float.tflite FOLDER/integer.tflite", code=1, trouble=2),
    Program("tools/view/view", "--nobrowse FOLDER/float.tflite", serves=True),
    Program(
        "tools/detect/detect",
        "--model=FOLDER/detector.tflite --image=WORKSPACE/pictures --output=FOLDER/drawn",
    ),
    Program(
        "tools/evaluate/evaluate",
        "--task=coco --model=FOLDER/detector.tflite --dataset=WORKSPACE/coco",
    ),
    Program(
        "tools/compare/compare",
        "--images=WORKSPACE/pictures --count=5000 FOLDER/float.tflite FOLDER/integer.tflite",
    ),
    Program(
        "tools/benchmark/benchmark",
        "--photograph=PHOTOGRAPH --seconds=0.1 --max_seconds=2 FOLDER/float.tflite",
        slow="--seconds=60 --max_seconds=60",
    ),
    Program("tools/benchmark/build", code=1),
    Program("tools/benchmark/models", code=1),
    Program("tools/benchmark/compare", "--weights=1 FOLDER/float.tflite", slow="--rounds=1000"),
    Program("tools/benchmark/cache", "--nginx=NGINX --serve=tools/cache/serve", code=1),
    Program("tools/audit/audit", "//models:x", code=2, trouble=2),
    Program(
        "tools/audit/challenge",
        "--lock=models/published.lock.json FOLDER/float.tflite //models:x",
        code=2,
        trouble=2,
    ),
    Program("tools/audit/update_lock", code=1),
    Program("tools/cache/report", "--execution_log=FOLDER/missing", code=1),
    Program("tools/cache/verify", "//models:x", code=2, trouble=2),
    Program(
        "tools/cache/serve", "--nginx=NGINX --directory=FOLDER/cache --writers=nobody", serves=True
    ),
    Program("tools/cache/evict", "--directory=FOLDER --max_size=1G", code=1),
    Program("tools/checkpoints/pin", "NAME", code=1),
    Program(
        "tests/tools/lib/cli/catalogue", "--nobrowse --catalogue=FOLDER/catalogue", serves=True
    ),
    Program("tools/provenance/sign", "--key=FOLDER/missing FOLDER/float.provenance.json", code=1),
    Program("tools/provenance/sign_model", "--key=FOLDER/missing FOLDER/float.tflite", code=1),
    Program("tools/provenance/verify", "--public_key=FOLDER/missing FOLDER/x FOLDER/y", code=1),
    Program(
        "tools/provenance/verify_tflite",
        "FOLDER/float.tflite FOLDER/float.provenance.json",
        code=1,
    ),
    Program("tools/recover/recover", "FOLDER/float.tflite", trouble=2),
    Program("tools/compare/source", "FOLDER/float.tflite FOLDER/missing.pb", code=1),
    Program("tools/new/new", "--print FOLDER/float.tflite"),
    Program("third_party/relock", code=1),
    Program("third_party/mirror", "FOLDER/mirrored", code=1),
)


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a program ended; `code` is None if it had to be killed."""

    code: int | None
    seconds: float
    output: str
    error: str


@dataclasses.dataclass(frozen=True)
class Trial:
    """What was tried, how the program ended, and what is wrong with that ("" if nothing)."""

    program: str
    column: str
    what: str
    ended: Ended
    wrong: str


class Caller:
    """Calls programs on inputs in a folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def call(
        self,
        program: Program,
        *options: str,
        stdout: int = subprocess.PIPE,
        workspace: str = "quick",
        after: float | None = None,
    ) -> Ended:
        """Runs a program.

        Args:
          program: the program.
          *options: further arguments, after its own; with --help, they are all.
          stdout: its standard output.
          workspace: `quick` or `slow`.
          after: seconds until Ctrl-C; None for no Ctrl-C.
        """
        place = self._folder / workspace
        text = "" if options[:1] in (("--help",), ("--helpxml",)) else program.arguments
        if workspace == "slow":
            text = f"{text} {program.slow}"
        for word, value in (
            ("FOLDER", self._folder),
            ("WORKSPACE", place),
            ("NGINX", os.path.abspath(_NGINX.value)),
            ("PHOTOGRAPH", os.path.abspath(_PHOTOGRAPH.value)),
        ):
            text = text.replace(word, str(value))
        begun = time.monotonic()
        with subprocess.Popen(
            [os.path.abspath(program.path), *text.split(), *options],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=os.environ
            | dict.fromkeys(("BUILD_WORKSPACE_DIRECTORY", "BUILD_WORKING_DIRECTORY"), str(place)),
            # A terminal sends Ctrl-C to the whole group, which a job in the background ignores.
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            limit = _LIMIT
            if after is not None:
                try:
                    process.wait(after)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGINT)
                    begun, limit = time.monotonic(), _LIMIT_AFTER_INTERRUPT
            try:
                output, error = process.communicate(timeout=limit)
                code = process.returncode
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output, error = process.communicate()
                code = None
        return Ended(
            code,
            time.monotonic() - begun,
            (output or b"").decode(errors="replace"),
            error.decode(errors="replace"),
        )


def wrong(ended: Ended, codes: Sequence[int]) -> str:
    """Returns what is wrong with the end of any program, "" if nothing.

    Args:
      ended: how it ended.
      codes: the exit codes that are right.
    """
    if ended.code is None:
        return f"had to be killed after {ended.seconds:.0f} s"
    if "Traceback" in ended.error or "Exception ignored" in ended.error:
        lines = ended.error.count("\n")
        return f"a traceback, {lines} lines, {ended.error.strip().splitlines()[-1][:100]}"
    if ended.code not in codes:
        said = ended.error.strip().rpartition("\n")[2]
        return (
            f"exit code {ended.code} instead of {' or '.join(map(str, sorted(set(codes))))}: {said}"
        )
    # Bazel's own words may come before.
    sentences = [line for line in ended.error.splitlines() if line.startswith("ERROR: ")]
    if len(sentences) > 2 or "\x1b" in ended.error:
        return "more than one sentence, or control characters"
    return ""


def _judged(ended: Ended, codes: Sequence[int], *needed: tuple[bool, str]) -> str:
    return wrong(ended, codes) or next((text for holds, text in needed if not holds), "")


def _trials(program: Program, caller: Caller) -> Iterator[tuple[str, str, Ended, str]]:
    """Yields the column, what was tried, the end and what is wrong with it."""
    usual = (program.code, program.trouble)
    after = _SERVING if program.serves else None
    chosen = _CHECK.value
    if "help" in chosen:
        ended = caller.call(program, "--help")
        said = (bool(ended.output) and not ended.error, "no help on standard output")
        yield "help", "--help", ended, _judged(ended, [0], said)
    if "full" in chosen:
        with open("/dev/full", "wb") as full:
            for options in (["--help"], []):
                ended = caller.call(program, *options, stdout=full.fileno(), after=after)
                # A program that fails has nothing to write.
                fails = not options and program.code == program.trouble
                said = (fails or _DISK_IS_FULL in ended.error, "does not say that the disk is full")
                yield "full", " ".join(options) or "work", ended, _judged(ended, usual[1:], said)
    if "pipe" in chosen:
        for options in (["--help"], []):
            reader, writer = os.pipe()
            os.close(reader)
            ended = caller.call(program, *options, stdout=writer, after=after)
            os.close(writer)
            right = 0 if options else program.code
            yield "pipe", " ".join(options) or "work", ended, _judged(ended, [right])
    if "interrupt" in chosen:
        for delay in _DELAYS:
            ended = caller.call(program, workspace="slow", after=delay)
            last = ended.error.strip().rpartition("\n")[2]
            said = (ended.code != 130 or last.startswith("Interrupted"), f"says {last!r}")
            # The signal itself ends a process before CPython handles it, and when CPython has ended
            # its work. A terminal shows 130, too.
            codes = [130, *usual, -signal.SIGINT]
            yield f"{delay:g} s", f"Ctrl-C after {delay:g} s", ended, _judged(ended, codes, said)
    if "numbers" in chosen:
        for flag, kind in numeric_flags(caller.call(program, "--helpxml").output):
            for value in _VALUES[kind]:
                option = f"--{flag}={value}"
                ended = caller.call(program, option, after=after)
                refused = ended.error.startswith(f"ERROR: flag --{flag}=")
                said = (refused or value not in _NOT_FINITE, "was not refused")
                yield "numbers", option, ended, _judged(ended, usual, said)


def numeric_flags(text: str) -> list[tuple[str, str]]:
    """Returns a program's numeric flags and their types, without absl's own.

    Args:
      text: what --helpxml prints.
    """
    if not text.startswith("<?xml"):
        return []
    rows = [
        (flag.findtext("name"), flag.findtext("type").split()[-1])
        for flag in xml.etree.ElementTree.fromstring(text).iter("flag")
        if not flag.findtext("file").startswith("absl.")
    ]
    return [row for row in rows if row[1] in _VALUES]


def _shown(program: str, trials: Sequence[Trial], columns: Sequence[str]) -> list[str]:
    cells = [program]
    for column in columns:
        tried = [trial for trial in trials if (trial.program, trial.column) == (program, column)]
        right = sum(not trial.wrong for trial in tried)
        codes = sorted({str(trial.ended.code) for trial in tried})
        cells.append(f"{right} of {len(tried)}: {','.join(codes)}" if tried else "-")
    return cells


def main(argv: Sequence[str]) -> None:
    """Tries the programs, prints a table, and fails if one does not end as it should."""
    names = argv[1:]
    chosen = [each for each in _PROGRAMS if not names or each.path in names]
    if unknown := set(names) - {each.path for each in chosen}:
        raise cli.UserError(
            f"{sorted(unknown)[0]}: is none of {', '.join(each.path for each in _PROGRAMS)}."
        )
    trials = []
    with tempfile.TemporaryDirectory(prefix="programs-") as folder:
        inputs.write(pathlib.Path(folder))
        caller = Caller(pathlib.Path(folder))
        for program in chosen:
            for column, what, ended, fault in _trials(program, caller):
                trials.append(Trial(program.path, column, what, ended, fault))
                cli.note(
                    f"{program.path} {what}: exit code {ended.code}, {ended.seconds:.1f} s"
                    f"{', WRONG: ' if fault else ''}{fault}"
                )
    columns = list(dict.fromkeys(trial.column for trial in trials))
    table = Table("program", *columns, title="right of tried: exit codes")
    for program in chosen:
        table.add_row(*_shown(program.path, trials, columns))
    cli.console(width=140).print(table)
    faults = [trial for trial in trials if trial.wrong]
    for trial in faults:
        cli.say(f"{trial.program} {trial.what}: {trial.wrong}")
    cli.say(f"{len(trials)} trials of {len(chosen)} programs, {len(faults)} wrong.")
    if faults:
        sys.exit(1)


if __name__ == "__main__":
    cli.run(main, positional=None)
