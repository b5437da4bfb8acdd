"""Measures what a remote cache saves.

    bazel run //tools/benchmark:cache -- [--directory=FOLDER] [--json=FILE] [//models:x ...]

It starts a real server (nginx) on loopback and makes two checkouts, each with an output root of its
own. Both fetch what they need before anything is measured. The builds are:

(a) a cold build that fills the cache;
(b) the other checkout out of the cache, from a stopped Bazel, also with every file downloaded;
(c) the same checkout after an edit of one model's config;
(d) the same checkout after an edit of the canonical writer.

(b) is compared with the least that it could take: Bazel's start and analysis, and copying the same
bytes over loopback. (c) and (d) are built a second time with an execution log, which shows what ran
and how many files actions read.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import dataclasses
import http.client
import json
import pathlib
import time
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence

from absl import flags
from rich.console import Console
from rich.table import Table

from reproducible_tflite.lib.bazel import cache_server, checkout, client, execution_log
from reproducible_tflite.lib.bazel.outcome import outcome
from reproducible_tflite.lib.cli import cli

_DIRECTORY = flags.DEFINE_string(
    "directory", None, "Folder to work in, which is kept; a temporary one if not given."
)
_JSON = flags.DEFINE_string("json", None, "Write the figures here as JSON.")

_MODELS = ("//models:all_models",)
COLD, WARM = "(a) cold", "(b) another checkout"
EVERYTHING = f"{WARM}, every file downloaded"
# Besides what was asked for, the actions' stdout and stderr may come, up to this many bytes.
_STREAMS_SIZE = 100_000
# The edits: a file, the old text, and the new text.
_FAMILY = "mobilenet_v1"
_CONFIG_EDIT = (f"models/{_FAMILY}/BUILD", "seed = 20180802,", "seed = 20180803,")
_WRITER_EDIT = (
    "tools/lib/tflite_file/canonical.py",
    "_DATA_ALIGNMENT = 16\n",
    "_DATA_ALIGNMENT = 16  # edited\n",
)
# The actions before a model's canonical form.
_CONVERSION = frozenset(
    {
        "CanonicalGraphDef",
        "ExportFrozenGraph",
        "ExportTfliteSsdGraph",
        "Genrule",
        "MlirConvert",
        "SeedCheckpoint",
    }
)


@dataclasses.dataclass(frozen=True)
class BuildFigures:
    """The figures of one build.

    Attributes:
      seconds: how long it took.
      run: how many actions were run.
      hits: how many came out of the cache.
      received: bytes downloaded from the cache.
      sent: bytes uploaded to the cache.
    """

    seconds: float
    run: int
    hits: int
    received: int
    sent: int


def edit(workspace: pathlib.Path, name: str, old: str, new: str) -> None:
    """Replaces a text in a file of a checkout.

    Raises:
      cli.UserError: the file does not contain the old text exactly once.
    """
    path = workspace / name
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise cli.UserError(
            f"{name}: does not contain {old!r} exactly once; adapt the edit in"
            " tools/benchmark/cache.py."
        )
    path.write_text(text.replace(old, new), encoding="utf-8")


def copy_seconds(address: str, blobs: Sequence[tuple[str, int]]) -> float:
    """Downloads files, given by path and size in bytes, one after the other; returns the seconds.

    Raises:
      cli.UserError: a file has another size now.
    """
    begun = time.monotonic()
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc)
    for path, size in blobs:
        connection.request("GET", path)
        if len(connection.getresponse().read()) != size:
            raise cli.UserError(f"{address}{path}: no longer has {size} bytes.")
    connection.close()
    return time.monotonic() - begun


def outside(actions: Sequence[execution_log.Action], family: str) -> list[str]:
    """Returns the names of the actions that ran for other families than the edited one."""
    return [
        action.name
        for action in actions
        if not action.cache_hit
        and not all(f"/bin/models/{family}/" in path for path in action.outputs)
    ]


def conversions(actions: Sequence[execution_log.Action]) -> list[str]:
    """Returns the names of the actions before the canonical form that ran."""
    return [
        action.name for action in actions if not action.cache_hit and action.mnemonic in _CONVERSION
    ]


def input_files(actions: Sequence[execution_log.Action]) -> dict[str, tuple[int, int]]:
    """Returns the fewest and the most input files of an action, by mnemonic."""
    counts: dict[str, list[int]] = {}
    for action in actions:
        counts.setdefault(action.mnemonic, []).append(len(action.inputs))
    return {mnemonic: (min(sizes), max(sizes)) for mnemonic, sizes in sorted(counts.items())}


def idle(actions: Sequence[execution_log.Action], mnemonic: str, under: str) -> bool:
    """Returns whether an edit had no effect: no action of a kind ran.

    Args:
      actions: those of the build after the edit.
      mnemonic: the kind of action that reads the edited file.
      under: the folder of its outputs, such as "models/mobilenet_v1".
    """
    return not any(
        action.mnemonic == mnemonic and not action.cache_hit
        for action in actions
        if any(f"/bin/{under}/" in path for path in action.outputs)
    )


class _Benchmark:
    """Builds with a running server and reads the server's log."""

    def __init__(
        self, models: Sequence[str], server: cache_server.Server, folder: pathlib.Path
    ) -> None:
        self.models = models
        self.cache = f"--remote_cache={server.address()}"
        self.results: dict[str, BuildFigures] = {}
        self.input_files: dict[str, tuple[int, int]] = {}
        self.blobs: Sequence[tuple[str, int]] = ()
        self._access = server.directory / "log" / "access.log"
        self._stderr = folder / "stderr.log"

    def _build(self, where: checkout.Checkout, *options: str) -> float:
        begun = time.monotonic()
        with open(self._stderr, "w", encoding="utf-8") as stream:
            arguments = ["build", *where.options, *options, "--", *self.models]
            code = where.call(*arguments, stderr=stream)
        seconds = time.monotonic() - begun
        if code:
            raise cli.UserError(
                f"the build failed: {self._stderr.read_text(encoding='utf-8')[-2000:]}"
            )
        return seconds

    def analyze(self, where: checkout.Checkout) -> float:
        """Returns the seconds that a stopped Bazel takes to start, load and analyze."""
        where.call("clean")
        where.call("shutdown")
        return self._build(where, "--nobuild")

    def build(self, name: str, where: checkout.Checkout, *options: str) -> None:
        """Builds from a stopped Bazel without outputs, and stores the figures under a name."""
        where.call("clean")
        where.call("shutdown")
        before = self._access.stat().st_size if self._access.exists() else 0
        seconds = self._build(where, self.cache, *options)
        with open(self._access, encoding="utf-8") as stream:
            stream.seek(before)
            moved = cache_server.traffic(stream.read())
        self.blobs = moved.blobs
        ended = outcome(0, self._stderr.read_text(encoding="utf-8"))
        self.results[name] = BuildFigures(
            seconds, ended.run, ended.hits, moved.received, moved.sent
        )
        cli.say(f"{name}: {self.results[name]}")


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=title)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _print(
    console: Console,
    results: Mapping[str, BuildFigures],
    read: Mapping[str, tuple[int, int]],
    ratios: Mapping[str, float],
) -> None:
    builds = [
        (
            name,
            f"{row.seconds:.1f}",
            str(row.run),
            str(row.hits),
            f"{row.received / 1e6:.1f}",
            f"{row.sent / 1e6:.1f}",
        )
        for name, row in results.items()
    ]
    columns = ("build", "seconds", "run", "hits", "MB received", "MB sent")
    console.print(_table("Builds with a remote cache", columns, builds))
    steps = [(mnemonic, *map(str, counts)) for mnemonic, counts in read.items()]
    console.print(_table("Input files of an action", ("step", "fewest", "most"), steps))
    for name, ratio in ratios.items():
        console.print(f"{name}: {ratio:.2f}")


def measure(
    models: Sequence[str], folder: pathlib.Path
) -> tuple[_Benchmark, dict[str, float], list[str]]:
    """Runs all builds.

    Returns:
      The figures, their ratios, and what the cache did wrong, one phrase each.
    """
    caches = client.ask("info", "repository_cache")
    first, second = (checkout.Checkout(folder, name, caches) for name in ("first", "second"))
    read_only = "--config=remote-cache"
    try:
        # If root runs this, nginx's workers are another user.
        folder.chmod(0o711)
        with cache_server.serving(folder / "cache", "--writers=anonymous") as server:
            benchmark = _Benchmark(models, server, folder)
            # No figure includes fetching.
            benchmark.analyze(first)
            benchmark.build(COLD, first, "--config=ci", "--execution_log_compact_file=")
            first.call("shutdown")
            benchmark.analyze(second)
            benchmark.build(WARM, second, read_only)
            copying = copy_seconds(server.address(), benchmark.blobs)
            requested = sum(
                path.stat().st_size
                for path in (second.workspace / "bazel-bin/models").glob("*/*.tflite")
            )
            analysis = benchmark.analyze(second)
            benchmark.build(EVERYTHING, second, read_only, "--remote_download_outputs=all")
            name, old, new = _CONFIG_EDIT
            edit(second.workspace, name, old, new)
            benchmark.build("(c) a config edited", second, read_only)
            actions = second.build(models, benchmark.cache, read_only).actions
            problems = [f"(c) ran {action}" for action in outside(actions, _FAMILY)]
            if idle(actions, "SeedCheckpoint", f"models/{_FAMILY}"):
                problems.append(f"(c) ran nothing; include a model of {_FAMILY}")
            edit(second.workspace, name, new, old)
            edit(second.workspace, *_WRITER_EDIT)
            benchmark.build("(d) the canonical writer edited", second, read_only)
            actions = second.build(models, benchmark.cache, read_only).actions
            problems += [f"(d) ran {name}" for name in conversions(actions)]
            benchmark.input_files = input_files(actions)
            if idle(actions, "CanonicalTflite", "models"):
                problems.append("(d) did not run the canonical writer")
    finally:
        for copy in (first, second):
            copy.call("shutdown")
    cold, warm = benchmark.results[COLD], benchmark.results[WARM]
    ratios = {
        "(a) / (b)": cold.seconds / warm.seconds,
        f"(b) / (start and analysis, {analysis:.1f} s, + copying, {copying:.1f} s)": warm.seconds
        / (analysis + copying),
    }
    if warm.received > requested + _STREAMS_SIZE:
        problems.append(f"(b) received {warm.received} bytes; the requested files have {requested}")
    if warm.run:
        problems.append(f"(b) ran {warm.run} actions")
    return benchmark, ratios, problems


def main(argv: Sequence[str]) -> None:
    """Measures, prints tables, and writes the JSON file."""
    cli.check_output(_JSON.value)
    with client.output_folder(_DIRECTORY.value, "cache-benchmark-") as folder:
        benchmark, ratios, problems = measure(argv[1:] or _MODELS, folder)
    _print(cli.console(width=120), benchmark.results, benchmark.input_files, ratios)
    if _JSON.value:
        with cli.output_file(cli.callers_path(_JSON.value), "w") as stream:
            figures = {
                "builds": {
                    name: dataclasses.asdict(row) for name, row in benchmark.results.items()
                },
                "input_files": benchmark.input_files,
                "ratios": ratios,
            }
            json.dump(figures, stream, indent=2)
            stream.write("\n")
    if problems:
        raise cli.UserError("\n".join(["the cache did not work as expected:", *problems]))


if __name__ == "__main__":
    cli.run(main, positional=None)
