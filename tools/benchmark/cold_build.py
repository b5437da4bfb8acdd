"""A build from nothing, on an output root of its own, for the benchmarks."""

import pathlib
import subprocess
import time
from collections.abc import Sequence

from tools.lib.bazel import client
from tools.lib.cli import cli


class Build:
    """One workspace with an output root of its own."""

    def __init__(self, directory: pathlib.Path, targets: Sequence[str]) -> None:
        self.workspace = cli.workspace()
        self.command = client.command()
        self.environment = client.environment()
        self.directory = directory
        self.targets = targets
        self.log = str(directory / "execution.json")
        self.profile = str(directory / "profile.json")

    def bazel(self, *arguments: str) -> str:
        """Calls Bazel; returns what it printed.

        Raises:
          cli.UserError: it failed.
        """
        result = subprocess.run(
            [*self.command, f"--output_user_root={self.directory / 'root'}", *arguments],
            cwd=self.workspace,
            env=self.environment,
            stdout=subprocess.PIPE,
            check=False,
            text=True,
        )
        if result.returncode:
            raise cli.UserError(f"bazel {arguments[0]} failed; its own words are above.")
        return result.stdout.strip()

    def build(self, *options: str) -> float:
        """Builds the targets; returns the seconds that it took."""
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
            *self.targets,
        )
        return time.monotonic() - start

    def prepare(self) -> None:
        """Leaves nothing but what is fetched and analyzed."""
        self.bazel("clean")
        self.build("--nobuild")

    def cold_build(self, *options: str) -> float:
        """Builds the targets with one job from nothing but what is fetched and analyzed."""
        self.prepare()
        return self.build("--jobs=1", f"--profile={self.profile}", *options)
