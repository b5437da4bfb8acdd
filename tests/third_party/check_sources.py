"""Checks that no tracked file names a registry's address or a folder of one machine.

    bazel run //tests/third_party:check_sources

A test cannot: it sees only the files that its target lists, and this is about the others too.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import pathlib
import re
import sys
from collections.abc import Sequence

from reproducible_tflite.lib.bazel import sources
from reproducible_tflite.lib.cli import cli

# Registries are asked through pip and apt-get, as the machine has them set up. The brackets keep
# this file from finding itself.
_FORBIDDEN = re.compile(
    r"files[.]pythonhosted|pypi[.]org|deb[.]debian[.]org|snapshot[.]debian[.]org"
    r"|registry[.]npmjs|(?<![\w./])/(?:work|root|home)/"
)


def forbidden(path: str, content: bytes) -> list[str]:
    """Returns one message for each line of a text file that names what it must not."""
    if b"\0" in content:
        return []
    lines = content.decode("utf-8", errors="replace").splitlines()
    return [
        f"{path}:{number}: {match[0]}"
        for number, line in enumerate(lines, start=1)
        for match in _FORBIDDEN.finditer(line)
    ]


def main(argv: Sequence[str]) -> None:
    del argv
    workspace = pathlib.Path(cli.workspace())
    paths = [path for path in sources.files(workspace) if (workspace / path).is_file()]
    messages = []
    for path in paths:
        messages += forbidden(path, (workspace / path).read_bytes())
    for message in messages:
        print(message, file=sys.stderr)
    if messages:
        raise cli.UserError(
            f"{len(messages)} line(s) name a registry's address or a machine's folder."
        )
    print(f"{len(paths)} files name no registry's address and no machine's folder.")


if __name__ == "__main__":
    cli.run(main)
