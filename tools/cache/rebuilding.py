"""Asks a cache what it has, downloads single results, and runs their actions without the cache."""

import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from reproducible_tflite.cache import spawns
from reproducible_tflite.cache.spawns import Key, Log, Spawn
from reproducible_tflite.lib.bazel import client, labels
from reproducible_tflite.lib.cli import cli

# Bazel asks the cache before it sets up a sandbox. This mount makes the sandbox fail, so that an
# action that is not in the cache fails at once instead of running.
_NOT_THERE = "/this-action-is-not-in-the-cache"
_NEVER_RUN = (
    "--keep_going",
    "--spawn_strategy=linux-sandbox",
    f"--sandbox_add_mount_pair={_NOT_THERE}:/nowhere",
    "--noremote_upload_local_results",
    # In a second try, an action of which the cache has lost a file counts as not cached.
    "--experimental_remote_cache_eviction_retries=5",
)
_NO_CACHE = ("--disk_cache=", "--remote_cache=", "--remote_executor=")
_ASPECT = "--aspects=" + labels.own("//tools/cache:outputs.bzl%action_outputs")
# Bazel's exit codes: everything was in the cache; not everything was. Others are errors.
_LOOKED_UP = (0, 1)
_LAST_LINES = 12


class RebuildFailed(Exception):
    """An action could not be run here; the text is the end of Bazel's output."""


def cache_options(events: Sequence[Mapping]) -> dict[str, str]:
    """Returns the caches that a build used, by option, from its build events."""
    caches: dict[str, str] = {}
    for event in events:
        for option in event.get("optionsParsed", {}).get("cmdLine", []):
            name, _, value = option.partition("=")
            if name in ("--disk_cache", "--remote_cache", "--remote_executor"):
                caches[name] = value
    return {name: value for name, value in caches.items() if value}


class Rebuilding:
    """Builds the workspace in an output folder of its own.

    Args:
      directory: holds the output folder and the logs.
      options: for every build, such as `--config=remote-cache`.
    """

    def __init__(self, directory: pathlib.Path, options: Sequence[str]) -> None:
        self._directory = directory
        self._options = [*options]
        self._log = directory / "execution_log.zst"
        self._output = directory / "bazel.txt"
        self._base = f"--output_base={directory / 'output_base'}"
        self._run("clean", [], [])

    def choose_cache(self) -> str:
        """Makes sure that the remote cache is asked, and not a disk cache instead.

        Returns:
          "disk cache" or "remote cache"; not its address, which may contain a password.

        Raises:
          cli.UserError: no cache is configured.
        """
        events = self._directory / "events.json"
        events.touch(mode=0o600)
        options = [*self._options, "--nobuild", f"--build_event_json_file={events}"]
        try:
            result = self._run("build", options, [])
            if result.returncode or not events.exists():
                raise cli.UserError(f"Bazel does not start: {self._reason()}")
            lines = events.read_text(encoding="utf-8").splitlines()
        finally:
            # It contains every option, including the header with a password.
            events.unlink(missing_ok=True)
        caches = cache_options([json.loads(line) for line in lines])
        if not caches:
            raise cli.UserError(
                "no cache is configured; name one, such as --bazel_flag=--config=remote-cache."
            )
        if set(caches) == {"--disk_cache"}:
            return "disk cache"
        self._options.append("--disk_cache=")
        return "remote cache"

    def look_up(self, targets: Sequence[str]) -> Log:
        """Looks up the actions of targets in the cache.

        No action runs. Only the inputs of actions that are not in the cache are downloaded.

        Raises:
          cli.UserError: Bazel cannot build the targets at all.
        """
        return self._build([*_NEVER_RUN, "--remote_download_outputs=minimal"], targets, _LOOKED_UP)

    def places(self) -> tuple[pathlib.Path, str]:
        """Returns the execution root, and the folder in it that has the targets' own outputs."""
        result = self._run("info", self._options, ["execution_root", "bazel-bin"])
        folders = dict(line.split(": ", 1) for line in result.stdout.splitlines() if ": " in line)
        if len(folders) != 2:
            raise cli.UserError(f"Bazel does not name its folders: {self._reason()}")
        root = folders["execution_root"]
        return pathlib.Path(root), os.path.relpath(folders["bazel-bin"], root)

    def serve(self, chosen: Sequence[Spawn]) -> Log:
        """Downloads actions' outputs and inputs from the cache, and returns what came of it.

        Nothing runs.
        """
        return self._build(
            [*_NEVER_RUN, "--remote_download_outputs=all", *self._only(chosen)],
            sorted({spawn.label for spawn in chosen}),
            _LOOKED_UP,
        )

    def rebuild(self, spawn: Spawn) -> Spawn:
        """Runs an action whose outputs were moved away, without any cache.

        Raises:
          RebuildFailed: it fails, or did not run.
        """
        options = [*_NO_CACHE, "--remote_download_outputs=all", *self._only([spawn])]
        rebuilt = executed(self._build(options, [spawn.label], None), spawn.key)
        if rebuilt is None:
            raise RebuildFailed(self._tail())
        return rebuilt

    def shutdown(self) -> None:
        """Ends the Bazel server."""
        self._run("shutdown", [], [])

    @staticmethod
    def _only(chosen: Sequence[Spawn]) -> list[str]:
        groups = sorted({f"outputs_of_{spawn.action.mnemonic}" for spawn in chosen})
        return [_ASPECT, f"--output_groups={','.join(groups)}"]

    def _build(
        self, options: Sequence[str], targets: Sequence[str], good: Sequence[int] | None
    ) -> Log:
        self._log.unlink(missing_ok=True)
        result = self._run(
            "build",
            [
                "--noshow_progress",
                "--show_result=0",
                "--symlink_prefix=/",
                *self._options,
                *options,
                f"--execution_log_compact_file={self._log}",
            ],
            ["--", *targets],
        )
        if good is not None and result.returncode not in good:
            raise cli.UserError(f"{' '.join(targets)}: cannot be looked up: {self._reason()}")
        if not self._log.exists() or not self._log.stat().st_size:
            return Log({}, {})
        return spawns.read(str(self._log), may_be_empty=True)

    def _run(
        self, command: str, options: Sequence[str], words: Sequence[str]
    ) -> subprocess.CompletedProcess[str]:
        with open(self._output, "w", encoding="utf-8") as stream:
            return client.call(
                [self._base, command, *options, *words], stdout=subprocess.PIPE, stderr=stream
            )

    def _reason(self) -> str:
        return self.complaint() or self._tail()

    def _tail(self) -> str:
        """Returns the end of Bazel's last output."""
        lines = self._output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return "\n".join(["Bazel's output:", *lines[-_LAST_LINES:]])

    def complaint(self) -> str:
        """Returns the first problem that Bazel reported in its last call, "" if there was none."""
        return first_problem(self._output.read_text(encoding="utf-8", errors="replace"))


def executed(log: Log, key: Key) -> Spawn | None:
    """Returns an action that a build executed; None if it failed or was not executed."""
    spawn = log.spawns.get(key)
    return None if spawn is None or spawn.failed or spawn.hit else spawn


def first_problem(output: str) -> str:
    """Returns the first problem in Bazel's output, apart from actions missing in the cache."""
    lines = output.splitlines()
    for place, line in enumerate(lines):
        if line.startswith("ERROR:") and _NOT_THERE not in line:
            return line
        if line.startswith("WARNING: Remote Cache:"):
            # Of several problems, the next line has the first.
            return " ".join(word.strip() for word in lines[place : place + 1 + line.endswith(":")])
    return ""


def move_outputs(paths: Sequence[str], root: pathlib.Path, to: pathlib.Path) -> None:
    """Moves outputs, which are files or folders, to another folder; skips missing ones.

    Args:
      paths: the outputs, relative to `root`.
      root: the execution root.
      to: the folder, on the same file system.
    """
    for path in paths:
        source, place = root / path, to / path
        if not os.path.lexists(source):
            continue
        if source.is_dir() and not source.is_symlink():
            # Bazel removes the write permission of folders that an action made.
            for folder, _, _ in os.walk(source):
                os.chmod(folder, 0o700)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, place)
