"""The cases about the server's folder: eviction during builds, and a folder of another user."""

import os
import pathlib
import re
import shutil
import time

from reproducible_tflite.cache import eviction
from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.bazel import cache_server
from reproducible_tflite.lib.cli import cli
from tests.tools.cache import certificates, small_workspace
from tests.tools.cache.small_workspace import ACTIONS
from tests.tools.cache.trial import EVERYTHING, WRITER, Trial, expect, seen

_OWNER = 65534


def _size(directory: Directory) -> int:
    return sum(entry.size for entry in eviction.entries(directory))


def _expect_bound(directory: Directory, max_size: int) -> None:
    deadline = time.monotonic() + 20
    while _size(directory) > max_size and time.monotonic() < deadline:
        time.sleep(0.1)
    expect(_size(directory) <= max_size, f"{_size(directory)} bytes stayed, of {max_size}")


def evicting(trial: Trial) -> str:
    """The server evicts while builds write and read."""
    directory = Directory(trial.cache)
    # There is room for the whole and half of its parts.
    max_size = len(small_workspace.whole(trial.seed)) * 3 // 2
    with trial.serve(f"--max_size={max_size}", "--evict_every=0.2") as server:
        trial.fill(server)
        _expect_bound(directory, max_size)
        outcome = trial.read(server, EVERYTHING)
        expect(
            outcome.hits > 0 and outcome.run > 0 and outcome.hits + outcome.run == ACTIONS,
            f"of a part of it: {outcome.counts}",
        )
        # More entries of the same size arrive and are evicted on the way.
        for number in range(2):
            seed = f"{trial.seed} {number}"
            trial.write(trial.clients[2 + number], server, seed)
            trial.read(server, seed=seed)
        _expect_bound(directory, max_size)
        expect(server.stop() == 0, "the server did not end well")
    evictions = [line for line in trial.log().splitlines() if " bytes are left." in line]
    expect(bool(evictions), "the server said nothing of what went")
    expect("eviction failed" not in trial.log(), trial.log()[-2000:])
    return f"{seen(outcome)}; {len(evictions)} rounds; {evictions[-1]}"


def _may_enter(path: pathlib.Path) -> bool:
    """Returns whether every user can reach a file."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def foreign_owner(trial: Trial) -> str:
    """Root starts a server on the folder of another user without a name."""
    if os.getuid():
        return "not tried: only root can become somebody else"
    key = certificates.make(trial.folder, "mine")
    os.chmod(key.key, 0o600)
    trial.cache.mkdir()
    os.chown(trial.cache, _OWNER, _OWNER)
    program = pathlib.Path(cache_server.program()[0])
    reachable = _may_enter(program) and _may_enter(pathlib.Path(cli.workspace(), "WORKSPACE"))
    secured = (f"--tls_certificate={key.certificate}", f"--tls_key={key.key}")
    for options, unreadable in ((secured, key.key), ((), program)):
        if unreadable == program and reachable:
            continue
        try:
            with trial.serve(*options):
                raise AssertionError(f"served, though user {_OWNER} cannot read {unreadable}")
        except cache_server.NotStarted as error:
            last = str(error).strip().splitlines()[-1]
            right = "runs the server, cannot read this; let that user" in last
            expect(right and (str(key.key) in last) == (unreadable == key.key), str(error))
    if not reachable:
        return "refused: the owner cannot read the program"
    with trial.serve() as server:
        trial.fill(server)
    with trial.serve() as server:
        outcome = trial.read(server)
    expect(outcome.hits == ACTIONS, f"started again: {outcome.counts}")
    owners = {path.stat().st_uid for path in [trial.cache, *trial.cache.rglob("*")]}
    expect(owners == {_OWNER}, f"files of {owners}")
    shutil.rmtree(trial.cache)
    return f"started again: {seen(outcome)}; every file is user {_OWNER}'s"


def _workers(server: cache_server.Server) -> set[int]:
    """Returns the users of nginx's workers."""
    processes = [pathlib.Path(f"/proc/{pid}") for pid in server.descendants()]
    statuses = [
        (process / "status").read_text(encoding="utf-8")
        for process in processes
        if b"worker process" in (process / "cmdline").read_bytes()
    ]
    return {int(re.search(r"^Uid:\s+\d+\s+(\d+)", status, re.M)[1]) for status in statuses}


def root_owner(trial: Trial) -> str:
    """Root starts the server on a folder of its own; another user answers the clients."""
    if os.getuid():
        return "not tried: only root can become somebody else"
    with trial.serve() as server:
        trial.fill(server)
        workers = _workers(server)
        expect(workers == {_OWNER}, f"workers of users {workers}")
    with trial.serve("--readers=authenticated") as server:
        outcome = trial.read(server, WRITER)
    expect(outcome.hits == ACTIONS, f"started again: {outcome.counts}")
    owner = trial.cache.stat().st_uid
    expect(owner == 0, f"the folder is user {owner}'s")
    return f"started again: {seen(outcome)}; the workers are user {_OWNER}"
