"""A round of an audit: builds every target from nothing; can be interrupted and continued."""

import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from reproducible_tflite.audit import record, surroundings, traces, watch
from reproducible_tflite.lib.bazel import building, client, execution_log, sources
from reproducible_tflite.lib.cli import cli

_LAST_LINES = 12
# Built besides the default outputs, for targets that have these output groups.
_GROUPS = ("provenance", "raw")


class BuildFailed(Exception):
    """A target was not built; the text is the end of Bazel's output."""


def source_digest(workspace: pathlib.Path) -> str:
    """Returns a digest of the workspace's files, without Bazel's links and ignored files."""
    total = hashlib.sha256()
    try:
        names = sources.files(workspace)
    except cli.UserError:
        names = sources.all_files(workspace)
    for name in names:
        path = workspace / name
        if path.is_symlink():
            content = os.readlink(path).encode()
        else:
            content = path.read_bytes()
        total.update(os.fsencode(name) + b"\0" + hashlib.sha256(content).digest())
    return total.hexdigest()


def slug(target: str) -> str:
    """Returns a label as a file name."""
    return re.sub(r"[^\w.+-]+", "_", target).strip("_")


def remove_unnamed(folder: pathlib.Path, named: set[str], execution_root: pathlib.Path) -> int:
    """Removes the files below Bazel's output folder that no finished target's record names.

    An interrupted build leaves outputs of actions that are not recorded; the next build must run
    these actions again.

    Returns:
      How many files were removed.
    """
    removed = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            path = pathlib.Path(parent, name)
            if str(path.relative_to(execution_root)) not in named:
                os.chmod(parent, 0o755)
                path.unlink()
                removed += 1
    return removed


class Round:
    """A round in a folder of its own.

    The folder holds `state.json`, Bazel's output root, `records/` with a record for each finished
    target and a model's provenance, and `logs/` with Bazel's output. Records are valid only for the
    sources and surroundings in `state.json`; if these change, the round starts again.
    """

    def __init__(
        self,
        around: surroundings.Surroundings,
        directory: pathlib.Path,
        key: str,
        options: Sequence[str],
    ) -> None:
        self.around = around
        self.name = around.name
        self.directory = directory
        self.workspace = pathlib.Path(cli.workspace())
        self.root = directory / "root"
        self.records = directory / "records"
        self.listings = directory / "listings"
        self.logs = directory / "logs"
        self._options = options
        self._state = directory / "state.json"
        wanted = {"key": key, "surroundings": repr(around), "options": list(options)}
        self.wanted = json.loads(json.dumps(wanted))
        directory.mkdir(parents=True, exist_ok=True)
        self.start = surroundings.start(around, directory, client.environment())

    def open(self) -> None:
        """Continues the round, or starts it again if its sources or surroundings changed."""
        state = self._read_state()
        if state is None or {k: v for k, v in state.items() if k != "compared"} != self.wanted:
            self.remove_root()
            for folder in (self.records, self.listings, self.logs):
                shutil.rmtree(folder, ignore_errors=True)
            self._write_state(self.wanted)
        for folder in (self.records, self.listings, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        if self.around.inside.traces:
            os.makedirs(self.around.inside.traces, exist_ok=True)

    def _read_state(self) -> dict | None:
        try:
            return json.loads(self._state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _write_state(self, state: Mapping) -> None:
        with cli.output_file(str(self._state), "w") as stream:
            json.dump(state, stream, indent=1)

    @property
    def compared(self) -> dict | None:
        """The comparison with the plain round; None if it has not been made yet."""
        return (self._read_state() or {}).get("compared")

    @compared.setter
    def compared(self, comparison: dict) -> None:
        self._write_state(self.wanted | {"compared": comparison})

    def _call(self, arguments: Sequence[str], **streams) -> subprocess.CompletedProcess:
        return client.run(
            [*self.start.prefix, *client.command(), "--nohome_rc"]
            + [f"--output_user_root={self.root}", f"--output_base={self.output_base}"]
            + list(arguments),
            cwd=self.workspace,
            env=dict(self.start.environment),
            preexec_fn=self.start.enter,
            stdin=subprocess.DEVNULL,
            **streams,
        )

    @property
    def output_base(self) -> pathlib.Path:
        """The output base of this round's builds."""
        return self.root / "base"

    @property
    def execution_root(self) -> pathlib.Path:
        """The folder in which actions run, with their outputs.

        Bazel is not asked, because `bazel info` without the build's options fetches repositories
        again.
        """
        folders = (self.output_base / "execroot").glob("*/bazel-out")
        return next(folders).parent

    def shutdown(self) -> None:
        """Ends the round's Bazel server, if it runs."""
        if self.root.exists():
            self._call(["shutdown"], capture_output=True)

    def forget(self) -> None:
        """Removes all records, so that every target is built again."""
        for path in self.records.iterdir():
            path.unlink()

    def remove_root(self) -> None:
        """Ends the server and removes all outputs."""
        self.shutdown()
        client.remove(self.root)

    def listing(self, digest: str) -> dict[str, str] | None:
        """Returns the files of a big folder; None if no big folder has this digest."""
        path = self.listings / digest
        return json.loads(path.read_text(encoding="utf-8")) if digest and path.exists() else None

    def smallest(self, targets: Sequence[str]) -> str:
        """Returns the target whose actions write the fewest bytes in total."""
        closures = record.closures(self.done(targets))
        totals = {target: closure.total for target, closure in closures.items() if closure.total}
        return min(totals, key=lambda target: (totals[target], target), default=targets[0])

    def record_path(self, target: str) -> pathlib.Path:
        return self.records / f"{slug(target)}.json"

    def _statement_path(self, target: str) -> pathlib.Path:
        return self.records / f"{slug(target)}.statement"

    def statements(self, targets: Sequence[str]) -> dict[str, bytes]:
        """Returns the provenance of those targets that have one, by label."""
        paths = {target: self._statement_path(target) for target in targets}
        return {target: path.read_bytes() for target, path in paths.items() if path.exists()}

    def done(self, targets: Sequence[str]) -> list[record.Record]:
        """Returns the records of the targets that are built."""
        return [
            record.read(self.record_path(target))
            for target in targets
            if self.record_path(target).exists()
        ]

    def build(
        self, targets: Sequence[str], cache: str, progress: Callable[..., None]
    ) -> list[record.Record]:
        """Builds the targets that are not done yet.

        Args:
          targets: labels.
          cache: the repository cache: downloads, by digest.
          progress: is called with each target and False before, and True after, it is built; each
            second of a build, with the target, False, and `watch.working`.

        Raises:
          BuildFailed: Bazel failed.
        """
        missing = [target for target in targets if not self.record_path(target).exists()]
        try:
            if missing and any((self.output_base / "execroot").glob("*/bazel-out")):
                self._discard_unrecorded(targets)
            for target in missing:
                progress(target, False)
                record_ = self._build_one(target, cache, functools.partial(progress, target, False))
                record.write(record_, self.record_path(target), self.listings)
                progress(target, True)
        finally:
            self.shutdown()
        return self.done(targets)

    def _discard_unrecorded(self, targets: Sequence[str]) -> None:
        named = {
            path
            for record_ in self.done(targets)
            for action in record_.actions.values()
            for path in action.digests
        }
        execution_root = self.execution_root
        remove_unnamed(execution_root / "bazel-out", named, execution_root)

    def _build_one(self, target: str, cache: str, report: Callable[[str], None]) -> record.Record:
        log, events = self.directory / "execution_log.zst", self.directory / "events.json"
        output = self.logs / f"{slug(target)}.txt"
        tracing = self.around.inside.traces
        if tracing:
            client.remove(pathlib.Path(tracing), keep=True)
        begun = time.monotonic()
        with open(output, "wb") as stream, watch.watched(output, report):
            result = self._call(
                [
                    "build",
                    *watch.OPTIONS,
                    "--show_result=0",
                    "--symlink_prefix=/",
                    # The statement about what a model is made from must be reproducible too.
                    *(f"--output_groups=+{group}" for group in _GROUPS),
                    *self._options,
                    *self.start.options,
                    # After the given options, because no result may come from a cache.
                    "--disk_cache=",
                    "--remote_cache=",
                    "--remote_executor=",
                    f"--repository_cache={cache}",
                    f"--execution_log_compact_file={log}",
                    f"--build_event_json_file={events}",
                    "--",
                    target,
                ],
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        seconds = round(time.monotonic() - begun, 1)
        if result.returncode:
            lines = watch.without_progress(output.read_text(encoding="utf-8", errors="replace"))
            raise BuildFailed(f"{target}: " + "\n".join(lines[-_LAST_LINES:]))
        actions = execution_log.read(str(log), may_be_empty=True)
        hits = [action.name for action in actions.values() if action.cache_hit]
        if hits:
            raise cli.UserError(
                f"round {self.name}: {hits[0]} came out of a cache, so it proves nothing."
            )
        with open(events, encoding="utf-8") as stream:
            built = building.outputs(json.loads(line) for line in stream)
        files = {
            path
            for target_outputs in built
            for group in ("default", *_GROUPS)
            for path in target_outputs.files.get(group, ())
        }
        for path in files:
            if path.endswith(".provenance.json"):
                shutil.copyfile(path, self._statement_path(target))
        outputs = tuple(
            sorted(path.rpartition("/execroot/")[2].partition("/")[2] for path in files)
        )
        log.unlink()
        events.unlink()
        leaks, traced = self._leaks(actions, pathlib.Path(tracing)) if tracing else ([], 0)
        sizes = record.sizes(actions, self.execution_root)
        return record.Record(target, seconds, outputs, sizes, actions, tuple(leaks), traced)

    def _leaks(
        self,
        actions: Mapping[tuple[str, tuple[str, ...]], execution_log.Action],
        folder: pathlib.Path,
    ) -> tuple[list[record.Leak], int]:
        """Returns the undeclared files that actions read, and how many actions were traced."""
        names = {path: action.name for action in actions.values() for path in action.outputs}
        by_name = {action.name: action for action in actions.values()}
        execution_root = self.execution_root
        leaks, traced = set(), set()
        for trace in traces.read(folder):
            name = traces.action_of(trace, names)
            traced.add(name)
            declared = by_name[name].inputs if name else ()
            for path in traces.leaks(trace, declared, str(execution_root)):
                leaks.add(record.Leak(name or "an unknown action", self._place(path), digest(path)))
        return sorted(leaks, key=lambda leak: (leak.action, leak.path)), len(traced - {None})

    def _place(self, path: str) -> str:
        """Returns a path with placeholders for the folders that differ between rounds."""
        for name, folder in (
            ("<output base>", self.output_base),
            ("<workspace>", self.workspace),
            ("<round>", self.directory),
        ):
            if path.startswith(f"{folder}/"):
                return name + path.removeprefix(str(folder))
        return path

    def read_leaked(self, place: str) -> pathlib.Path:
        """Returns the path of a leaked file in this round."""
        return pathlib.Path(
            place.replace("<output base>", str(self.output_base))
            .replace("<workspace>", str(self.workspace))
            .replace("<round>", str(self.directory))
        )


def digest(path: str) -> str:
    """Returns a file's sha256, "" if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
