"""A second place to build in: a copy whose Bazel shares nothing with the first one's."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import IO
from unittest import mock

from tools.lib.bazel import building, client, execution_log, sources
from tools.lib.cli import cli


@dataclasses.dataclass(frozen=True)
class CheckoutBuild:
    """What a build did.

    Attributes:
      models: every model's sha256, by its file's name.
      actions: the actions of Bazel's execution log.
      seconds: how long it took.
      execroot: the folder that the actions' paths are seen from.
    """

    models: Mapping[str, str]
    actions: Sequence[execution_log.Action]
    seconds: float
    execroot: pathlib.Path

    @property
    def executed(self) -> list[str]:
        """The names of the actions that did not come out of the cache."""
        return [action.name for action in self.actions if not action.cache_hit]


class Checkout:
    """A clean copy with an output root and a home of its own.

    Attributes:
      workspace: the copy.
      options: Bazel's, for every build in it.
    """

    def __init__(self, folder: pathlib.Path, name: str, caches: str) -> None:
        """Copies the sources of the workspace that this program was started in.

        Args:
          folder: where it is made.
          name: what it is called there.
          caches: where what is fetched is found, so that nothing is fetched twice.
        """
        self.workspace = folder / name
        self._home = folder / f"home-of-{name}"
        self._home.mkdir()
        self._startup = [f"--output_user_root={folder / f'root-of-{name}'}"]
        self.options = (
            "--noshow_progress",
            f"--repository_cache={caches}",
            # A person's own would answer before the server is asked.
            "--disk_cache=",
        )
        sources.copy(pathlib.Path(cli.workspace()), self.workspace)

    def _at_home(self) -> contextlib.AbstractContextManager:
        # Bazel itself is found where a person has it.
        cache = client.environment()["XDG_CACHE_HOME"]
        return mock.patch.dict(os.environ, HOME=str(self._home), XDG_CACHE_HOME=cache)

    def call(self, *arguments: str, stderr: IO[str] | None = None) -> int:
        """Calls this checkout's Bazel; returns its exit code."""
        with self._at_home():
            command = [*self._startup, *arguments]
            return client.call(command, str(self.workspace), stderr=stderr).returncode

    def build(self, models: Sequence[str], *options: str) -> CheckoutBuild:
        """Builds models from nothing but what is fetched, with an execution log."""
        log = self._home / "execution_log.zst"
        self.call("clean")
        with self._at_home():
            begun = time.monotonic()
            built = building.build_all(
                models,
                [*self.options, *options, f"--execution_log_compact_file={log}"],
                workspace=str(self.workspace),
                startup_options=self._startup,
            )
            seconds = time.monotonic() - begun
        files = [pathlib.Path(path) for each in built for path in each.files["default"]]
        return CheckoutBuild(
            models={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
            actions=list(execution_log.read(str(log)).values()),
            seconds=seconds,
            execroot=pathlib.Path(str(files[0]).partition("/bazel-out/")[0]),
        )
