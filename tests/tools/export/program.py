"""Runs a command line program of the project as a process of its own."""

import os
import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[3]


def run(path: str, *positional: object, **flags: object) -> subprocess.CompletedProcess[str]:
    """Runs the program at `path` from the workspace's root with the interpreter of the test.

    Args:
      path: the program's source file, as in "tools/export/export_ssd.py".
      *positional: what follows the flags.
      **flags: absl flags; a list gives one flag per element, None gives none.
    """
    arguments: list[str] = []
    for name, value in flags.items():
        for element in value if isinstance(value, list) else [value]:
            if element is not None:
                arguments.append(f"--{name}={element}")
    return subprocess.run(
        [sys.executable, str(_ROOT / path), *arguments, *map(str, positional)],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        check=False,
    )
