"""A copy of the workspace whose Bazel shares nothing with the original's."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import IO
from unittest import mock

from reproducible_tflite.lib.bazel import building, client, execution_log, sources
from reproducible_tflite.lib.cli import cli


@dataclasses.dataclass(frozen=True)
class CheckoutBuild:
    """A build in a checkout.

    Attributes:
      models: the sha256 of every model, by file name.
      actions: the actions of Bazel's execution log.
      execroot: the folder that the actions' paths are relative to.
    """

    models: Mapping[str, str]
    actions: Sequence[execution_log.Action]
    execroot: pathlib.Path

    @property
    def executed(self) -> list[str]:
        """The names of the actions that did not come from the cache."""
        return [action.name for action in self.actions if not action.cache_hit]


class Checkout:
    """A clean copy of the workspace with its own output root and home.

    Attributes:
      workspace: the folder of the copy.
      options: Bazel's options for every build in it.
    """

    def __init__(self, folder: pathlib.Path, name: str, caches: str) -> None:
        """Copies the sources of the workspace that this program was started in.

        `caches` is the repository cache, so that nothing is downloaded twice.
        """
        self.workspace = folder / name
        self._home = folder / f"home-of-{name}"
        self._home.mkdir()
        self._startup = [f"--output_user_root={folder / f'root-of-{name}'}"]
        self.options = (
            "--noshow_progress",
            f"--repository_cache={caches}",
            # The user's disk cache would answer before the server is asked.
            "--disk_cache=",
        )
        sources.copy(pathlib.Path(cli.workspace()), self.workspace)

    def _at_home(self) -> contextlib.AbstractContextManager:
        # `bazelw` must still find the user's Bazel.
        cache = client.environment()["XDG_CACHE_HOME"]
        return mock.patch.dict(os.environ, HOME=str(self._home), XDG_CACHE_HOME=cache)

    def call(self, *arguments: str, stderr: IO[str] | None = None) -> int:
        """Calls this checkout's Bazel; returns its exit code."""
        with self._at_home():
            command = [*self._startup, *arguments]
            return client.call(command, str(self.workspace), stderr=stderr).returncode

    def build(self, models: Sequence[str], *options: str) -> CheckoutBuild:
        """Builds models after `bazel clean`, with an execution log."""
        log = self._home / "execution_log.zst"
        self.call("clean")
        with self._at_home():
            built = building.build_all(
                models,
                [*self.options, *options, f"--execution_log_compact_file={log}"],
                workspace=str(self.workspace),
                startup_options=self._startup,
            )
        files = [pathlib.Path(path) for each in built for path in each.files["default"]]
        return CheckoutBuild(
            models={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
            actions=list(execution_log.read(str(log)).values()),
            execroot=pathlib.Path(str(files[0]).partition("/bazel-out/")[0]),
        )
