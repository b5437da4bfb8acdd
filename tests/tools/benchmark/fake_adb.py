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
    """Makes the program `adb` in a folder that is then put on PATH."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._calls = folder / "calls.txt"
        self._calls.touch()

    def answers(self, answers: dict[str, tuple[int, str]]) -> None:
        """Says what is answered.

        Args:
          answers: exit code and output by a shell pattern of the arguments, the first that fits;
            0 and nothing for others.
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
        """Returns the arguments of each call, parted by blanks."""
        return self._calls.read_text(encoding="utf-8").splitlines()
