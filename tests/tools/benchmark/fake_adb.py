"""An adb that records its calls and answers as a phone would."""

import os
import pathlib
import shlex

_SCRIPT = """#!/bin/sh
printf '%s\\n' "$*" >> {calls}
case "$*" in
{cases}esac
exit 0
"""


class FakeAdb:
    """Writes the program `adb` into a folder, which the test puts on PATH."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._calls = folder / "calls.txt"
        self._calls.touch()

    def answers(self, answers: dict[str, tuple[int, str]]) -> None:
        """Sets the answers.

        Args:
          answers: exit code and output by shell pattern of the arguments. The first match counts;
            without a match, adb exits with 0 and prints nothing.
        """
        cases = "".join(
            f"    {pattern}) printf '%s' {shlex.quote(output)}; exit {code} ;;\n"
            for pattern, (code, output) in answers.items()
        )
        program = self.folder / "adb"
        program.write_text(
            _SCRIPT.format(calls=shlex.quote(str(self._calls)), cases=cases), encoding="utf-8"
        )
        os.chmod(program, 0o755)

    def calls(self) -> list[str]:
        """Returns the arguments of each call, joined by spaces."""
        return self._calls.read_text(encoding="utf-8").splitlines()
