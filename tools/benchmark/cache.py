"""Measures what a remote cache saves.

    bazel run //tools/benchmark:cache -- [--directory=FOLDER] [--json=FILE] [//models:x ...]

A real server (nginx) on loopback and two checkouts, each with an output root of its own; both have
fetched what they need before anything is measured. (a) a cold build that fills the cache; (b) the
other checkout, from a stopped Bazel, out of the cache; the same with minimal download; (c) there
after an edit of one model's config; (d) after an edit of the canonical writer. Beside (b) stands
what it cannot do without: Bazel's start and analysis, and copying the same bytes over loopback.
After that (c) and (d) are built once more with an execution log, to see what ran, and how many
files actions read.
"""

import dataclasses
import http.client
import json
import pathlib
import time
import urllib.parse
from collections.abc import Mapping, Sequence

from absl import flags
from rich.console import Console
from rich.table import Table

from tools.lib.bazel import cache_server, checkout, client, execution_log
from tools.lib.bazel.outcome import outcome
from tools.lib.cli import cli

_DIRECTORY = flags.DEFINE_string("directory", None, "Where to work, and to leave it all.")
_JSON = flags.DEFINE_string("json", None, "A file for the same figures as JSON.")

_MODELS = ("//models:all_models",)
COLD, WARM = "(a) cold", "(b) another checkout"
MINIMAL = f"{WARM}, minimal download"
# What programs said comes beside the files that were asked for.
_WORDS_SIZE = 100_000
# The edits: a file, what stands in it, and what comes instead.
_FAMILY = "mobilenet_v1"
_CONFIG_EDIT = (f"models/{_FAMILY}/BUILD", "seed = 20180802,", "seed = 20180803,")
_WRITER_EDIT = (
    "tools/lib/tflite_file/canonical.py",
    "_DATA_ALIGNMENT = 16\n",
    "_DATA_ALIGNMENT = 16  # edited\n",
)
# What stands before the canonical form of a model.
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
class Measured:
    """A build, as it was measured.

    Attributes:
      seconds: how long it took.
      run: how many actions were run.
      hits: how many came out of the cache.
      received: the bytes of files that the cache sent.
      sent: the bytes that the cache was sent.
    """

    seconds: float
    run: int
    hits: int
    received: int
    sent: int


def edit(workspace: pathlib.Path, change: tuple[str, str, str]) -> None:
    """Makes one change in a checkout.

    Raises:
      cli.UserError: what is to be changed is not there once.
    """
    name, old, new = change
    path = workspace / name
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise cli.UserError(f"{name}: has not one {old!r}; the benchmark's edit must follow it.")
    path.write_text(text.replace(old, new), encoding="utf-8")


def undo(workspace: pathlib.Path, change: tuple[str, str, str]) -> None:
    """Takes a change back."""
    name, old, new = change
    edit(workspace, (name, new, old))


def copy_seconds(address: str, blobs: Sequence[tuple[str, int]]) -> float:
    """Gets files from the cache one after the other and drops them; returns the seconds."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc)
    for path, size in blobs:
        connection.request("GET", path)
        if len(connection.getresponse().read()) != size:
            raise cli.UserError(f"{address}{path}: is not of {size} bytes any more.")
    connection.close()
    return time.monotonic() - begun


def outside(actions: Sequence[execution_log.Action], family: str) -> list[str]:
    """Returns the actions that were run of another family than the edited one."""
    return [
        action.name
        for action in actions
        if not action.cache_hit
        and not all(f"/bin/models/{family}/" in path for path in action.outputs)
    ]


def conversions(actions: Sequence[execution_log.Action]) -> list[str]:
    """Returns the actions that were run before canonical form."""
    return [
        action.name for action in actions if not action.cache_hit and action.mnemonic in _CONVERSION
    ]


def input_files(actions: Sequence[execution_log.Action]) -> dict[str, tuple[int, int]]:
    """Returns how many files the actions of each mnemonic read, as the fewest and the most."""
    counts: dict[str, list[int]] = {}
    for action in actions:
        counts.setdefault(action.mnemonic, []).append(len(action.inputs))
    return {mnemonic: (min(each), max(each)) for mnemonic, each in sorted(counts.items())}


def idle(actions: Sequence[execution_log.Action], mnemonic: str, under: str) -> bool:
    """Returns whether an edit led to nothing: no action of a kind was run below a folder.

    Args:
      actions: those of the build after the edit.
      mnemonic: the kind of action that reads what was edited.
      under: the folder of its outputs, as in "models/mobilenet_v1".
    """
    return not any(
        action.mnemonic == mnemonic and not action.cache_hit
        for action in actions
        if any(f"/bin/{under}/" in path for path in action.outputs)
    )


class _Benchmark:
    """Builds beside a running server and reads its log."""

    def __init__(
        self, models: Sequence[str], server: cache_server.Server, folder: pathlib.Path
    ) -> None:
        self.models = models
        self.cache = f"--remote_cache={server.address()}"
        self.results: dict[str, Measured] = {}
        self.input_files: dict[str, tuple[int, int]] = {}
        self.blobs: Sequence[tuple[str, int]] = ()
        self._access = server.directory / "log" / "access.log"
        self._words = folder / "words.log"

    def _build(self, where: checkout.Checkout, *options: str) -> float:
        begun = time.monotonic()
        with open(self._words, "w", encoding="utf-8") as stream:
            arguments = ["build", *where.options, *options, "--", *self.models]
            code = where.call(*arguments, stderr=stream)
        seconds = time.monotonic() - begun
        if code:
            raise cli.UserError(
                f"the build failed: {self._words.read_text(encoding='utf-8')[-2000:]}"
            )
        return seconds

    def analyze(self, where: checkout.Checkout) -> float:
        """Lets a stopped Bazel start, load and analyze; returns the seconds."""
        where.call("clean")
        where.call("shutdown")
        return self._build(where, "--nobuild")

    def build(self, name: str, where: checkout.Checkout, *options: str) -> None:
        """Builds from a stopped Bazel with no output, and notes the figures under a name."""
        where.call("clean")
        where.call("shutdown")
        before = self._access.stat().st_size if self._access.exists() else 0
        seconds = self._build(where, self.cache, *options)
        with open(self._access, encoding="utf-8") as stream:
            stream.seek(before)
            moved = cache_server.traffic(stream.read())
        self.blobs = moved.blobs
        told = outcome(0, self._words.read_text(encoding="utf-8"))
        self.results[name] = Measured(seconds, told.run, told.hits, moved.received, moved.sent)
        print(f"{name}: {self.results[name]}", flush=True)


def _print(
    console: Console,
    results: Mapping[str, Measured],
    read: Mapping[str, tuple[int, int]],
    ratios: Mapping[str, float],
) -> None:
    table = Table(title="All that was asked for, by where it came from")
    for column in ("build", "seconds", "run", "hits", "MB received", "MB sent"):
        table.add_column(column, justify="left" if column == "build" else "right")
    for name, row in results.items():
        table.add_row(
            name,
            f"{row.seconds:.1f}",
            str(row.run),
            str(row.hits),
            f"{row.received / 1e6:.1f}",
            f"{row.sent / 1e6:.1f}",
        )
    console.print(table)
    table = Table(title="Input files of an action")
    for column in ("step", "fewest", "most"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for mnemonic, counts in read.items():
        table.add_row(mnemonic, *map(str, counts))
    console.print(table)
    for name, ratio in ratios.items():
        console.print(f"{name}: {ratio:.2f}")


def measure(
    models: Sequence[str], folder: pathlib.Path
) -> tuple[_Benchmark, dict[str, float], list[str]]:
    """Makes all builds.

    Args:
      models: the targets.
      folder: where to work.

    Returns:
      The figures, their ratios, and in sentences what was not as it should be.
    """
    caches = client.ask("info", "repository_cache")
    first, second = (checkout.Checkout(folder, name, caches) for name in ("first", "second"))
    read = "--config=remote-cache"
    try:
        with cache_server.serving(folder / "cache", "--writers=anonymous") as server:
            benchmark = _Benchmark(models, server, folder)
            # What is fetched is no part of any figure.
            benchmark.analyze(first)
            benchmark.build(COLD, first, "--config=ci", "--execution_log_json_file=")
            first.call("shutdown")
            benchmark.analyze(second)
            benchmark.build(WARM, second, read)
            copying = copy_seconds(server.address(), benchmark.blobs)
            analysis = benchmark.analyze(second)
            benchmark.build(MINIMAL, second, read, "--config=minimal-download")
            asked_for = sum(
                path.stat().st_size
                for path in (second.workspace / "bazel-bin/models").glob("*/*.tflite")
            )
            edit(second.workspace, _CONFIG_EDIT)
            benchmark.build("(c) a config edited", second, read)
            made = second.build(models, benchmark.cache, read)
            found = [f"(c) ran {name}" for name in outside(made.actions, _FAMILY)]
            if idle(made.actions, "SeedCheckpoint", f"models/{_FAMILY}"):
                found.append(f"(c) ran nothing; one of the models has to be of {_FAMILY}")
            undo(second.workspace, _CONFIG_EDIT)
            edit(second.workspace, _WRITER_EDIT)
            benchmark.build("(d) the canonical writer edited", second, read)
            made = second.build(models, benchmark.cache, read)
            found += [f"(d) ran {name}" for name in conversions(made.actions)]
            benchmark.input_files = input_files(made.actions)
            if idle(made.actions, "CanonicalTflite", "models"):
                found.append("(d) ran no canonical writer")
    finally:
        for each in (first, second):
            each.call("shutdown")
    cold, warm = benchmark.results[COLD], benchmark.results[WARM]
    ratios = {
        "(a) / (b)": cold.seconds / warm.seconds,
        f"(b) / (start and analysis, {analysis:.1f} s, + copying, {copying:.1f} s)": warm.seconds
        / (analysis + copying),
    }
    received = benchmark.results[MINIMAL].received
    if received > asked_for + _WORDS_SIZE:
        found.append(f"minimal download got {received} bytes for files of {asked_for}")
    if warm.run:
        found.append(f"(b) ran {warm.run} actions")
    return benchmark, ratios, found


def main(argv: Sequence[str]) -> None:
    with client.output_folder(_DIRECTORY.value, "cache-benchmark-") as folder:
        benchmark, ratios, found = measure(argv[1:] or _MODELS, folder)
    _print(Console(width=120), benchmark.results, benchmark.input_files, ratios)
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
    if found:
        raise cli.UserError("\n".join(["the cache did not do what it is for:", *found]))


if __name__ == "__main__":
    cli.run(main, positional=None)
