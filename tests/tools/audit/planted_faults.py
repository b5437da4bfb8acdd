"""Audits targets with planted faults and checks that each is found with its action and cause.

    bazel run //tests/tools/audit:planted_faults

It runs the real audit with its own builds, so it cannot be a test in a sandbox. The audit gets the
arguments after `--`, for example `-- -- --bazel=bazel`.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from reproducible_tflite.lib.cli import cli

_AUDIT = flags.DEFINE_string("audit", None, "The program; the BUILD file names it.")

_PACKAGE = "tests/tools/audit/faults"


@dataclasses.dataclass(frozen=True)
class Expected:
    """A finding that the audit must report.

    Attributes:
      fault: the name of the target and of its action.
      kind: the kind of the finding.
      cause: a pattern for the cause.
      seen: a pattern for the bytes, the fields or the file.
    """

    fault: str
    kind: str
    cause: str
    seen: str = ""


EXPECTED = (
    Expected("changing_file", "divergence", r"<output base>/lock, which no input declares"),
    Expected("changing_file", "leak", "an undeclared input", r"<output base>/lock"),
    Expected("clock", "divergence", "the clock"),
    Expected("hash_order", "divergence", "the hash seed"),
    Expected("host_library", "leak", "an undeclared input", r"libz\.so\.1"),
    Expected("key_order", "divergence", "run to run", "keys laid out in another order"),
    Expected("processor", "divergence", "the processor's model"),
    Expected("random", "divergence", "run to run", "from byte"),
    Expected("read_file", "leak", "an undeclared input", r"<workspace>/.*/undeclared\.txt"),
)
_SOUND = "sound"
# Differs only because of another target's fault.
_FOLLOWING = "after_clock"


def _action(fault: str) -> str:
    return f"{_PACKAGE}/{fault}.tflite"


def _said(finding: Mapping[str, Any]) -> str:
    words = [finding["message"], *finding["paths"]]
    for file in finding["files"]:
        words += file["fields"]
        words += [f"from byte {run['offset']}" for run in file["runs"]]
    return "\n".join(words)


def complaints(report: Mapping[str, Any]) -> list[str]:
    """Returns the expected findings that a report lacks, and its wrong findings."""
    mistakes = []
    findings = report["findings"]
    for expected in EXPECTED:
        at_action = [
            finding
            for finding in findings
            if finding["kind"] == expected.kind
            and finding["action"].endswith(_action(expected.fault))
        ]
        if not at_action:
            mistakes.append(f"{expected.fault}: no {expected.kind} was found at its action")
        elif not any(
            re.search(expected.cause, finding["cause"]) and re.search(expected.seen, _said(finding))
            for finding in at_action
        ):
            causes = "; ".join(f"{finding['cause']!r}: {_said(finding)}" for finding in at_action)
            mistakes.append(f"{expected.fault}: its {expected.kind} is put down to {causes}")
    followers = [other for finding in findings for other in finding["others"]]
    if not any(other.endswith(_action(_FOLLOWING)) for other in followers):
        mistakes.append(f"{_FOLLOWING}: nothing says that it differs because of another action")
    known = tuple(_action(expected.fault) for expected in EXPECTED)
    for finding in findings:
        if not finding["action"].endswith(known):
            mistakes.append(f"{finding['action']} is accused: {finding['message']}")
        for other in finding["others"]:
            if finding["kind"] == "leak" or not other.endswith(_action(_FOLLOWING)):
                mistakes.append(f"{other} is accused beside {finding['action']}")
    for target in report["targets"]:
        name = target["label"].rpartition(":")[2]
        if (target["verdict"] == "equal") != (name == _SOUND):
            mistakes.append(f"{name}: is {target['verdict']}")
    return mistakes


def main(argv: Sequence[str]) -> None:
    if not _AUDIT.value:
        raise cli.UserError("--audit is missing; start this program with `bazel run`.")
    program = os.path.abspath(_AUDIT.value)
    faults = sorted({expected.fault for expected in EXPECTED} | {_SOUND, _FOLLOWING})
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "report.json")
        command = [program, f"--json={path}", f"--emulate=//{_PACKAGE}:processor", *argv[1:]]
        command += ["--", *(f"//{_PACKAGE}:{fault}" for fault in faults)]
        code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
        if code != 1 or not path.exists():
            raise cli.UserError(f"the audit ended with {code} instead of a report of faults.")
        report = json.loads(path.read_text(encoding="utf-8"))
    mistakes = complaints(report)
    for line in mistakes:
        print(line)
    if mistakes:
        raise cli.UserError(f"the audit made {len(mistakes)} mistake(s); they are above.")
    print(f"{len(EXPECTED)} planted faults were found and named; the sound target was not accused.")


if __name__ == "__main__":
    cli.run(main, positional=None)
