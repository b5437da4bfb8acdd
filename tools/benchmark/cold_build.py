"""Cold builds for the benchmarks, in an output root of their own."""

import pathlib
import subprocess
import time
from collections.abc import Sequence

from reproducible_tflite.lib.bazel import client
from reproducible_tflite.lib.cli import cli


class Build:
    """Builds targets of the workspace in an output root of its own.

    A context manager, which shuts Bazel's server down at the end.

    Attributes:
      log: a place for an execution log.
      profile: where `cold_build` writes Bazel's trace profile.
    """

    def __init__(self, directory: pathlib.Path, targets: Sequence[str]) -> None:
        """Takes the folder for the output root, log and profile, and the targets' labels."""
        self.log = str(directory / "execution_log.zst")
        self.profile = str(directory / "profile.json")
        self._root = f"--output_user_root={directory / 'root'}"
        self._targets = targets

    def __enter__(self) -> "Build":
        return self

    def __exit__(self, *exception: object) -> None:
        client.call([self._root, "shutdown"])

    def bazel(self, *arguments: str) -> str:
        """Calls Bazel; returns its stdout.

        Raises:
          cli.UserError: it failed.
        """
        result = client.call([self._root, *arguments], stdout=subprocess.PIPE)
        if result.returncode:
            raise cli.UserError(f"bazel {arguments[0]} failed; see its messages above.")
        return result.stdout.strip()

    def build(self, *options: str) -> float:
        """Builds the targets; returns the seconds."""
        start = time.monotonic()
        self.bazel(
            "build",
            "--noshow_progress",
            "--show_result=0",
            "--symlink_prefix=/",
            "--disk_cache=",
            "--remote_cache=",
            *options,
            "--",
            *self._targets,
        )
        return time.monotonic() - start

    def prepare(self) -> None:
        """Removes all outputs, then fetches and analyzes."""
        self.bazel("clean")
        self.build("--nobuild")

    def cold_build(self, *options: str) -> float:
        """Builds the targets with one job after `prepare`; returns the seconds."""
        self.prepare()
        return self.build("--jobs=1", f"--profile={self.profile}", *options)
