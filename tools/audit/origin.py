"""The sources, programs and machine of an audit, which its report states."""

import dataclasses
import datetime
import pathlib
import platform
import subprocess
from collections.abc import Sequence

from reproducible_tflite.audit import rounds
from reproducible_tflite.lib.bazel import client
from reproducible_tflite.lib.cli import cli

UNKNOWN = "unknown"
_PROCESSORS = pathlib.Path("/proc/cpuinfo")


@dataclasses.dataclass(frozen=True)
class Origin:
    """The sources, programs and machine of an audit; "unknown" stands for what is not known.

    Attributes:
      commit: the commit of the sources (git).
      changes: "yes" or "no": whether the sources differ from the commit.
      bazel: the version of Bazel.
      bazel_server: the sha256 of its A-server.jar, which a model's provenance states too.
      kernel: the release of the machine's kernel.
      processor: the model of the machine's processor.
      date: when the audit was started, in UTC, as in "2026-03-01T12:00:00Z".
      options: the command line, without the program.
    """

    commit: str
    changes: str
    bazel: str
    bazel_server: str
    kernel: str
    processor: str
    date: str
    options: tuple[str, ...]


def _git(workspace: pathlib.Path, *arguments: str) -> str | None:
    """Returns git's output, None if there is no git or no repository."""
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=workspace,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def _bazel() -> tuple[str, str]:
    """Returns Bazel's version and its server's sha256.

    Raises:
      cli.UserError: Bazel does not answer, or there is no version beside its server.
    """
    install_base = pathlib.Path(client.ask("info", "install_base"))
    # `bazel info release` calls Debian's a development version.
    version = cli.read_file(str(install_base / "build-label.txt"), "Bazel's version").decode()
    return version.strip(), rounds.digest(str(install_base / "A-server.jar"))


def processor(described: str) -> str:
    """Returns the processor's model from the text of /proc/cpuinfo."""
    for line in described.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return UNKNOWN


def find(workspace: pathlib.Path, options: Sequence[str]) -> Origin:
    """Returns the sources, programs and machine of an audit that begins now.

    Args:
      workspace: the folder of the sources.
      options: the command line, without the program.

    Raises:
      cli.UserError: Bazel does not state its version.
    """
    commit = _git(workspace, "rev-parse", "HEAD")
    status = _git(workspace, "status", "--porcelain")
    version, server = _bazel()
    now = datetime.datetime.now(datetime.UTC)
    return Origin(
        commit=commit or UNKNOWN,
        changes=UNKNOWN if commit is None or status is None else "yes" if status else "no",
        bazel=version,
        bazel_server=server,
        kernel=platform.release(),
        processor=processor(_PROCESSORS.read_text(encoding="utf-8")),
        date=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        options=tuple(options),
    )
