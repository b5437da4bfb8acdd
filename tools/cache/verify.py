"""Rebuilds a sample of what a cache holds and compares: a check against poisoned entries.

    bazel run //tools/cache:verify -- --sample=5
    bazel run //tools/cache:verify -- --sample=20 --seed=7 //models:mobiledet_qat

The sample is drawn from the targets' actions that are in the cache. What the cache serves for them
is set aside, each action is run again from its declared inputs without any cache, and every output
is compared. An entry that points to other, intact bytes passes every digest check; only this finds
it.

Exit code 0: everything in the sample that the cache still has agrees; 1: something does not; 2: the
check could not be made, and one sentence says why.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import dataclasses
import pathlib
import random
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence

from absl import flags
from rich.console import Console

from reproducible_tflite.cache import rebuilding
from reproducible_tflite.cache.spawns import Key, Spawn
from reproducible_tflite.lib.bazel import client, findings, labels
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import differing

_SAMPLE = flags.DEFINE_integer("sample", 5, "How many actions are run again.", 1)
_SEED = flags.DEFINE_integer(
    "seed",
    None,
    "Draws the same sample from the same actions again. If not given, a new sample is drawn.",
)
_DIRECTORY = flags.DEFINE_string(
    "directory",
    None,
    "Where it is built; called again with the same folder, what was fetched is there already. A "
    "temporary folder, removed at the end, if not given.",
)
_TARGETS = (labels.own("//models:all_models"),)

AGREES, WRONG, VARIES, DIFFERS = "agrees", "WRONG", "VARIES", "DIFFERS"
GONE, NOT_MADE = "gone", "not made"
_ACCUSED = frozenset({WRONG, VARIES, DIFFERS})
_WORDS = {
    AGREES: "a rebuild makes what the cache serves",
    WRONG: "the cache serves other bytes than its inputs make",
    VARIES: "two rebuilds differ from each other, so that what the cache serves cannot be judged",
    DIFFERS: "a rebuild differs from what the cache serves, and a second one could not be made",
    GONE: "its outputs are no longer in the cache",
    NOT_MADE: "does not build here",
}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The result of checking an action.

    Attributes:
      name: the action's name.
      kind: one of AGREES, WRONG, VARIES, DIFFERS, GONE, NOT_MADE.
      seconds: how long the rebuild took.
      files: how the outputs differ; the cache's file comes first.
      bazel_output: Bazel's output, if a rebuild failed.
    """

    name: str
    kind: str
    seconds: float = 0.0
    files: tuple[differing.File, ...] = ()
    bazel_output: str = ""


def draw(cached: Mapping[Key, Spawn], folder: str, count: int, seed: int) -> list[Spawn]:
    """Draws a sample from the targets' actions that the cache has, with outputs in `folder`."""
    hits = {
        key: spawn
        for key, spawn in cached.items()
        if spawn.hit and spawn.label and key[1] and key[1][0].startswith(f"{folder}/")
    }
    return [hits[key] for key in random.Random(seed).sample(sorted(hits), min(count, len(hits)))]


class _Verifier:
    def __init__(
        self, rebuilder: rebuilding.Rebuilding, root: pathlib.Path, kept: pathlib.Path
    ) -> None:
        self._rebuilder, self._root, self._kept = rebuilder, root, kept

    def verdict(self, spawn: Spawn, served: Spawn | None) -> Verdict:
        """Runs an action again and compares its outputs with those `served`, if any."""
        name = f"{spawn.action.mnemonic} of {spawn.label}"
        if served is None or not served.hit:
            return Verdict(name, GONE)
        outputs = spawn.action.outputs
        folders = [self._kept / name for name in ("served", "rebuilt", "rebuilt again")]
        for place in folders:
            client.remove(place)
        rebuilding.move_outputs(outputs, self._root, folders[0])
        begun = time.monotonic()
        try:
            rebuilt = self._rebuilder.rebuild(spawn)
        except rebuilding.RebuildFailed as error:
            return Verdict(name, NOT_MADE, bazel_output=str(error))
        seconds = time.monotonic() - begun
        if rebuilt.action.digests == served.action.digests:
            return Verdict(name, AGREES, seconds)
        paths = findings.differing(served.action.digests, rebuilt.action.digests)
        rebuilding.move_outputs(outputs, self._root, folders[1])
        bazel_output = ""
        try:
            second = self._rebuilder.rebuild(spawn)
            kind = WRONG if second.action.digests == rebuilt.action.digests else VARIES
        except rebuilding.RebuildFailed as error:
            kind, bazel_output = DIFFERS, str(error)
        # The next action may read these outputs, and should read those of the cache.
        rebuilding.move_outputs(outputs, self._root, folders[2])
        self._rebuilder.serve([spawn])
        files = tuple(_compared(path, folders[0], folders[1]) for path in paths)
        return Verdict(name, kind, seconds, files, bazel_output)


def _compared(path: str, left: pathlib.Path, right: pathlib.Path) -> differing.File:
    """Compares two versions of an output; a missing file counts as empty."""
    sides = [side / path for side in (left, right)]
    contents = [side.read_bytes() if side.is_file() else b"" for side in sides]
    return differing.compare(path, *contents)


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """Returns 1 if anything is wrong, 2 if too little could be rebuilt, else 0."""
    kinds = {verdict.kind for verdict in verdicts}
    if kinds & _ACCUSED:
        return 1
    return 2 if NOT_MADE in kinds or AGREES not in kinds else 0


def text(verdict: Verdict) -> str:
    """Returns a verdict in a few lines."""
    lines = [f"{verdict.kind:8} {verdict.name}: {_WORDS[verdict.kind]}"]
    if verdict.kind == AGREES:
        lines[0] += f" ({verdict.seconds:.1f} s)"
    for file in verdict.files:
        lines += [f"    {line}" for line in differing.lines(dataclasses.asdict(file))]
    if verdict.bazel_output:
        lines.append(verdict.bazel_output)
    return "\n".join(lines)


def conclusion(verdicts: Sequence[Verdict], cached: int, seed: int, kind: str) -> str:
    """Sums up all verdicts in one line; `cached` actions are in the cache, which is of a `kind`."""
    drawn = f"of {len(verdicts)} drawn from {cached} in the {kind} (--seed={seed})"
    accused = [verdict.name for verdict in verdicts if verdict.kind in _ACCUSED]
    if accused:
        return f"{len(accused)} {drawn} cannot be trusted: {', '.join(accused)}."
    agreeing = sum(verdict.kind == AGREES for verdict in verdicts)
    rest = len(verdicts) - agreeing
    return f"{agreeing} {drawn} agree" + (f"; {rest} could not be judged." if rest else ".")


def _run(targets: Sequence[str], directory: pathlib.Path, console: Console) -> int:
    seed = secrets.randbelow(1_000_000) if _SEED.value is None else _SEED.value
    rebuilder = rebuilding.Rebuilding(directory, BAZEL_FLAG.value)
    try:
        kind = rebuilder.choose_cache()
        console.print(f"looking up the actions of {' '.join(targets)} in the {kind}")
        looked_up = rebuilder.look_up(targets).spawns
        complaint = rebuilder.complaint()
        root, folder = rebuilder.places()
        cached = draw(looked_up, folder, len(looked_up), seed)
        if not cached:
            raise cli.UserError(
                f"the {kind} has none of the actions of {' '.join(targets)}, so there is nothing "
                f"to verify. {complaint}".strip()
            )
        chosen = draw(looked_up, folder, _SAMPLE.value, seed)
        # The lookup already downloaded the inputs of actions that were not in the cache; they are
        # not downloaded again.
        local = {
            spawn.key: spawn
            for spawn in chosen
            if all((root / path).exists() for path in spawn.action.outputs)
        }
        served = local | rebuilder.serve(chosen).spawns
        watch = _Verifier(rebuilder, root, directory / "differing")
        verdicts = []
        for spawn in chosen:
            verdicts.append(watch.verdict(spawn, served.get(spawn.key)))
            console.print(text(verdicts[-1]), soft_wrap=True)
    finally:
        rebuilder.shutdown()
    console.print(conclusion(verdicts, len(cached), seed, kind), soft_wrap=True)
    return exit_code(verdicts)


def main(argv: Sequence[str]) -> None:
    console = cli.console(width=120)
    # When this program is ended, its Bazel server must end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with client.output_folder(_DIRECTORY.value, "cache-verify-") as directory:
            if client.is_in_workspace(directory):
                raise cli.UserError(
                    f"--directory={directory} is in the workspace; name a folder outside."
                )
            code = _run(argv[1:] or _TARGETS, directory, console)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("Interrupted before the check was done.") from error
    if code:
        sys.exit(code)


if __name__ == "__main__":
    cli.run(main, positional=None, trouble=2)
