"""The cases of a cache that has lost a file or has a damaged one."""

import contextlib
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.bazel import cache_server
from reproducible_tflite.lib.bazel.outcome import Outcome
from tests.tools.cache import small_workspace
from tests.tools.cache.small_workspace import ACTIONS
from tests.tools.cache.trial import READ, Trial, expect, noticed, seen

_AGAIN = "Found transient remote cache error, retrying the build"
_UNREACHED = "Failed to fetch blobs because of a remote cache error"
# Bazel's exit code when it cannot get a file back from a cache.
_LOST = 39


def _lost(trial: Trial, damage: Callable[[pathlib.Path], None]) -> Outcome:
    """Damages a blob of a full cache and builds with it."""
    digest = small_workspace.expected(trial.seed)["whole.bin"]
    trial.prefilled()
    with trial.serve() as server:
        damage(Directory(trial.cache).path("cas", digest))
        outcome = trial.read(server)
        expect((outcome.hits, outcome.run) == (ACTIONS - 1, 1), f"{outcome.counts}")
        # CI repairs the cache: it misses the result or the blob, and writes both again.
        trial.write(trial.clients[2], server)
        after = trial.read(server)
        expect(after.hits == ACTIONS, f"after CI built once more: {after.counts}")
    return outcome


def evicted_blob(trial: Trial) -> str:
    """A blob is gone, but the result that names it is there."""
    outcome = _lost(trial, lambda path: path.unlink())
    # For Bazel, that is as if the action had never been run.
    expect(not outcome.notices, f"Bazel said {outcome.notices}")
    words = f'{small_workspace.expected(trial.seed)["whole.bin"]}" failed (2: No such file'
    log = (Directory(trial.cache).logs / "error.log").read_text(encoding="utf-8")
    matching = [line for line in log.splitlines() if words in line]
    expect(bool(matching), f"the server did not say {words!r}")
    return f"{seen(outcome)}; the server: {matching[0][matching[0].index(words) :]}"


def _corrupt(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def corrupted_blob(trial: Trial) -> str:
    """A bit of a blob is flipped."""
    outcome = _lost(trial, _corrupt)
    noticed(outcome)
    return seen(outcome)


def truncated_blob(trial: Trial) -> str:
    """A blob is cut short, as after a power cut."""
    outcome = _lost(trial, lambda path: os.truncate(path, 1000))
    noticed(outcome)
    return seen(outcome)


def _leaving(trial: Trial, server: cache_server.Server) -> Sequence[str]:
    """Builds so that only the whole is downloaded; returns the build's options."""
    options = (READ, f"--remote_cache={server.address()}")
    first = trial.reader.build(trial.seed, *options)
    expect(first.hits == ACTIONS, f"{first.counts}")
    return options


@contextlib.contextmanager
def _whole_changed(trial: Trial, options: Sequence[str]) -> Iterator[Outcome]:
    """Yields the end of a build that must make the whole here, from parts on the server."""
    build = trial.reader.workspace / "BUILD"
    recipe = build.read_text()
    build.write_text(recipe.replace("cat $(SRCS) >", "cat  $(SRCS) >"))
    try:
        yield small_workspace.finish(trial.reader.resume(trial.seed, *options))
    finally:
        build.write_text(recipe)


def left_then_evicted(trial: Trial) -> str:
    """A blob that was left on the server is gone when a later build needs it."""
    wanted = small_workspace.expected(trial.seed)
    trial.prefilled()
    with trial.serve() as server:
        options = _leaving(trial, server)
        Directory(trial.cache).path("cas", wanted["part0.bin"]).unlink()
        with _whole_changed(trial, options) as outcome:
            trial.check(trial.reader, outcome)
    expect(_AGAIN in outcome.log, f"Bazel did not try again: {outcome.log}")
    return f"in a second try: {seen(outcome)}"


def recovered(
    trial: Trial, outcome: Outcome, reason: str = "Connection refused", least: int = ACTIONS
) -> str:
    """Expects that the reader's build could not get a file; builds again without the cache.

    Args:
      trial: the case's environment.
      outcome: how the build ended.
      reason: Bazel's words for it.
      least: how many actions must run then.
    """
    expect(outcome.code == _LOST, f"ended with {outcome.code}: {outcome.log}")
    for words in (_UNREACHED, reason):
        expect(words in outcome.log, f"Bazel did not say {words!r}: {outcome.log}")
    again = small_workspace.finish(trial.reader.resume(trial.seed, READ, "--remote_cache="))
    trial.check(trial.reader, again)
    expect(again.run >= least and again.hits == 0, f"with --remote_cache=: {again.counts}")
    return f"ends with {outcome.code}; with --remote_cache=: {seen(again)}"


def left_then_corrupted(trial: Trial) -> str:
    """A bit of a blob that was left on the server is flipped when a later build needs it."""
    wanted = small_workspace.expected(trial.seed)
    trial.prefilled()
    with trial.serve() as server:
        options = _leaving(trial, server)
        _corrupt(Directory(trial.cache).path("cas", wanted["part0.bin"]))
        with _whole_changed(trial, options) as outcome:
            # At least the damaged part and the whole.
            return recovered(trial, outcome, "does not match received digest", least=2)


def left_then_server_gone(trial: Trial) -> str:
    """The server is gone when a later build needs what was left there."""
    trial.prefilled()
    with trial.serve() as server:
        options = _leaving(trial, server)
    with _whole_changed(trial, options) as outcome:
        return recovered(trial, outcome)
