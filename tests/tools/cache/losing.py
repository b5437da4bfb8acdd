"""The cases of a cache that has lost a file, or has another one in its place."""

import os
import pathlib
from collections.abc import Callable

from tests.tools.cache import small_workspace
from tests.tools.cache.small_workspace import ACTIONS, Outcome
from tests.tools.cache.trial import CI, MINIMAL, READ, WRITER, Trial, expect, noticed, seen
from tools.cache.directory import Directory

_GONE = "because it does not exist remotely"


def _lost(trial: Trial, damage: Callable[[pathlib.Path], None]) -> Outcome:
    """Damages a blob of a full cache and builds with the rest."""
    digest = small_workspace.expected(trial.seed)["whole.bin"]
    trial.prefilled()
    with trial.serve() as server:
        damage(Directory(trial.cache).path("cas", digest))
        outcome = trial.read(server)
        expect(outcome.hits == ACTIONS - 1, f"{outcome.counts}")
        expect(outcome.run == 1, f"{outcome.counts}")
        # CI mends it: it finds no result or no blob, and writes both anew.
        again = trial.clients[2].build(
            trial.seed,
            CI,
            f"--remote_cache={server.address()}",
            WRITER,
        )
        trial.check(trial.clients[2], again)
        after = trial.read(server)
        expect(after.hits == ACTIONS, f"after CI built once more: {after.counts}")
    return outcome


def evicted_blob(trial: Trial) -> str:
    """A blob is gone and the result that names it is there."""
    outcome = _lost(trial, lambda path: path.unlink())
    # To Bazel that is as if nobody had ever run the action.
    expect(not outcome.notices, f"Bazel said {outcome.notices}")
    if trial.backend == "buildgrid":
        return _with_server(trial, outcome, "a result lacks files and goes")
    digest = small_workspace.expected(trial.seed)["whole.bin"]
    return _with_server(trial, outcome, f'{digest}" failed (2: No such file')


def _with_server(trial: Trial, outcome: Outcome, words: str) -> str:
    """Returns how a build ended, of which the server has to have said something."""
    log = trial.log()
    if trial.backend == "nginx":
        log = (Directory(trial.cache).logs / "error.log").read_text(encoding="utf-8")
    said = [line for line in log.splitlines() if words in line]
    expect(bool(said), f"the server did not say {words!r}")
    return f"{seen(outcome)}; the server: {said[0][said[0].index(words) :]}"


def _corrupt(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def corrupted_blob(trial: Trial) -> str:
    """A bit of a blob is another."""
    outcome = _lost(trial, _corrupt)
    if trial.backend == "nginx":
        noticed(outcome)
        return seen(outcome)
    # This server looks itself, and then to Bazel the blob is just missing.
    return _with_server(trial, outcome, "a file is not what its digest says and goes")


def truncated_blob(trial: Trial) -> str:
    """A blob is cut short, as after a power cut."""
    outcome = _lost(trial, lambda path: os.truncate(path, 1000))
    if trial.backend == "nginx":
        noticed(outcome)
        return seen(outcome)
    return _with_server(trial, outcome, "a file is not as long as was asked")


def evicted_under_minimal(trial: Trial) -> str:
    """A blob that was left on the server is gone when a later build needs it."""
    digest = small_workspace.expected(trial.seed)["part0.bin"]
    trial.prefilled()
    with trial.serve() as server:
        options = (READ, MINIMAL, f"--remote_cache={server.address()}")
        first = trial.reader.build(trial.seed, *options)
        expect(first.hits == ACTIONS, f"{first.counts}")
        Directory(trial.cache).path("cas", digest).unlink()
        # Now the whole has to be made here.
        build = trial.reader.workspace / "BUILD"
        recipe = build.read_text()
        build.write_text(recipe.replace("cat $(SRCS) >", "cat  $(SRCS) >"))
        try:
            outcome = small_workspace.finish(trial.reader.resume(trial.seed, *options))
            again = small_workspace.finish(
                trial.reader.start(trial.seed, READ, f"--remote_cache={server.address()}")
            )
        finally:
            build.write_text(recipe)
    if trial.backend == "nginx":
        # Over HTTP Bazel believes a result whose files are gone, and cannot go back.
        expect(outcome.code != 0, f"the build did not end: {outcome.log}")
        expect(_GONE in outcome.log, f"Bazel did not say why it ended: {outcome.log}")
    else:
        wanted = small_workspace.expected(trial.seed)["whole.bin"]
        expect(outcome.code == 0, f"ended with {outcome.code}: {outcome.log}")
        expect(trial.reader.made()["whole.bin"] == wanted, "other bytes")
    trial.check(trial.reader, again)
    return f"ends with {outcome.code}; {seen(outcome)}"
