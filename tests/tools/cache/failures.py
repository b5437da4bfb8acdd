"""Tests a remote cache with a real server and real builds, including all kinds of failures.

    bazel run //tests/tools/cache:failures

Each case builds a small workspace with the project's own .bazelrc. The build must end with the
right bytes, and Bazel or the server must say what was wrong. Only where a reader cannot get a file
that was left on the server, it must stop, and give the right bytes without the cache. The program
starts Bazel and servers, so it cannot be a test in a sandbox.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import contextlib
import functools
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

from absl import flags
from rich import box
from rich.console import Console
from rich.table import Table

from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.bazel import cache_server
from reproducible_tflite.lib.bazel.outcome import Outcome
from reproducible_tflite.lib.cli import cli
from tests.tools.cache import certificates, keeping, losing, proxy, small_disk, small_workspace
from tests.tools.cache.small_workspace import ACTIONS, Client
from tests.tools.cache.trial import CI, EVERYTHING, READ, WRITER, Trial, expect, noticed, seen

_CASES = flags.DEFINE_list("cases", [], "The cases to try; all when not given.")

_CLIENTS = 8
# A transfer is held after this many bytes, in the middle of a large blob.
_MIDDLE = 500_000
_SMALL_DISK = 3 << 20


def second_checkout(trial: Trial) -> str:
    """Another checkout, output root and home get what they ask for, or everything."""
    trial.prefilled()
    said = []
    with trial.serve() as server:
        for options, files in (
            ((), {"whole.bin"}),
            ((EVERYTHING,), {*small_workspace.expected(trial.seed)}),
        ):
            outcome = trial.read(server, *options)
            expect((outcome.hits, outcome.run) == (ACTIONS, 0), f"not all hits: {outcome.counts}")
            expect(not outcome.notices, f"a sound cache brought {outcome.notices}")
            came = trial.reader.digests().keys()
            expect(came == files, f"{sorted(came)} came with {options}")
            said.append(f"{len(came)} of {ACTIONS} files: {seen(outcome)}")
    return "; ".join(said)


def restart(trial: Trial) -> str:
    """A restarted server still has its entries."""
    with trial.serve() as server:
        trial.fill(server)
        code = server.stop()
        expect(code == 0, f"a stopped server ended with {code}")
    with trial.serve() as server:
        outcome = trial.read(server)
    expect(outcome.hits == ACTIONS, f"not all were hits: {outcome.counts}")
    return seen(outcome)


def _refused(trial: Trial, user: tuple[str, str] | None) -> str:
    """A user without the right to write builds as CI does."""
    trial.prefilled()
    with trial.serve() as server:
        before = small_workspace.entries(trial.cache)
        seed = f"{trial.seed} changed"
        credentials = [cache_server.authorization(user)] if user else []
        outcome = trial.reader.build(seed, CI, f"--remote_cache={server.address()}", *credentials)
        trial.check(trial.reader, outcome, seed, everything=True)
        after = small_workspace.entries(trial.cache)
    noticed(outcome)
    expect(before == after, f"was written: {sorted(after.keys() - before.keys())}")
    return seen(outcome)


def wrong_password_reads(trial: Trial) -> str:
    """Reading needs a password: the right one and a wrong one."""
    trial.prefilled()
    with trial.serve("--readers=authenticated") as server:
        right = trial.read(server, cache_server.authorization(cache_server.READER))
        wrong = trial.read(server, cache_server.authorization(cache_server.WRONG))
    expect(right.hits == ACTIONS, f"with the right password: {right.counts}")
    expect(wrong.hits == 0, f"with a wrong password: {wrong.counts}")
    noticed(wrong)
    return seen(wrong)


def tls(trial: Trial) -> str:
    """TLS with the right authority and with another."""
    trial.prefilled()
    right = certificates.make(trial.folder, "right")
    wrong = certificates.make(trial.folder, "wrong")
    options = (f"--tls_certificate={right.certificate}", f"--tls_key={right.key}")
    with trial.serve(*options) as server:
        unknown, known = (
            trial.read(server, f"--tls_certificate={trusted.authority}")
            for trusted in (wrong, right)
        )
    expect(known.hits == ACTIONS, f"with the right authority: {known.log}")
    expect(unknown.hits == 0, f"with the wrong authority: {unknown.counts}")
    noticed(unknown)
    return f"right: {known.hits} hits; wrong: {seen(unknown)}"


def server_gone(trial: Trial) -> str:
    """There is no server."""
    trial.prefilled()
    with trial.serve() as server:
        pass
    outcome = trial.read(server)
    expect(outcome.run == ACTIONS, f"{outcome.counts}")
    noticed(outcome)
    return seen(outcome)


def server_hangs(trial: Trial) -> str:
    """The server accepts connections and never answers."""
    trial.prefilled()
    with (
        trial.serve() as server,
        contextlib.closing(proxy.Proxy(server.port, 0, upwards=False)) as between,
    ):
        address = f"--remote_cache={server.address(between.port)}"
        begun = time.monotonic()
        # The project's own timeout is for slow connections; this one only has to end.
        outcome = trial.reader.build(trial.seed, READ, address, "--remote_timeout=2s")
        seconds = time.monotonic() - begun
    trial.check(trial.reader, outcome)
    expect(outcome.run == ACTIONS, f"{outcome.counts}")
    noticed(outcome)
    return f"{seen(outcome)}; over in {seconds:.0f} s"


def _in_transfer(
    trial: Trial, client: Client, upwards: bool, *options: str
) -> tuple[Outcome, float]:
    """Kills the server while a build transfers a blob; returns how the build ended, and when."""
    with (
        trial.serve() as server,
        contextlib.closing(proxy.Proxy(server.port, _MIDDLE, upwards)) as between,
    ):
        process = client.start(
            trial.seed, f"--remote_cache={server.address(between.port)}", *options
        )
        expect(between.reached.wait(60), "nothing was moved")
        server.kill()
        between.close()
        begun = time.monotonic()
        return small_workspace.finish(process), time.monotonic() - begun


def killed_in_upload(trial: Trial) -> str:
    """The server is killed while it receives a blob."""
    outcome, seconds = _in_transfer(trial, trial.writer, True, CI, WRITER)
    trial.check(trial.writer, outcome, everything=True)
    noticed(outcome)
    expect(not small_workspace.unsound(trial.cache), "a half blob has a whole one's name")
    with trial.serve() as server:
        left = list(Directory(trial.cache).temporary.iterdir())
        expect(not left, f"what was half written is still there: {left}")
        trial.fill(server)
        after = trial.read(server)
    expect(after.hits == ACTIONS, f"filled again, {after.counts}")
    return f"{seen(outcome)}; over in {seconds:.0f} s"


def killed_in_download(trial: Trial) -> str:
    """The server is killed while it sends a blob."""
    trial.prefilled()
    outcome, _ = _in_transfer(trial, trial.reader, False, READ)
    stopped = losing.recovered(trial, outcome)
    outcome, seconds = _in_transfer(trial, trial.reader, False, READ, EVERYTHING)
    trial.check(trial.reader, outcome, everything=True)
    expect(outcome.run > 0, f"nothing had to be run: {outcome.counts}")
    noticed(outcome)
    return f"{stopped}; with {EVERYTHING}: {seen(outcome)}; over in {seconds:.0f} s"


def disk_full(trial: Trial) -> str:
    """The cache's disk is too small for the outputs."""
    trial.cache.mkdir()
    preparation = small_disk.small_disk(trial.cache, _SMALL_DISK)
    with trial.serve(preparation=preparation) as server:
        filled = trial.write(trial.writer, server)
        noticed(filled)
        # Only the server can see its disk.
        inside = pathlib.Path(f"/proc/{server.process.pid}/root{trial.cache}")
        expect(not small_workspace.unsound(inside), "a half blob has a whole one's name")
        expect(len(small_workspace.entries(inside)) > 0, "nothing at all was written")
        outcome = trial.read(server)
    expect(outcome.run > 0, f"everything fitted: {outcome.counts}")
    return seen(filled)


def eight_clients(trial: Trial) -> str:
    """Eight clients write to and read from one empty cache at once."""
    with trial.serve() as server:
        processes = [
            client.start(trial.seed, CI, f"--remote_cache={server.address()}", WRITER)
            for client in trial.clients
        ]
        outcomes = [small_workspace.finish(process) for process in processes]
        for client, outcome in zip(trial.clients, outcomes, strict=True):
            trial.check(client, outcome, everything=True)
            expect(not outcome.notices, f"at once: {outcome.notices}")
        expect(not small_workspace.unsound(trial.cache), "a blob is not what its name says")
        after = trial.read(server)
    expect(after.hits == ACTIONS, f"a ninth: {after.counts}")
    hits = sum(outcome.hits for outcome in outcomes)
    return f"{_CLIENTS} builds right, {hits} hits between them; a ninth: {seen(after)}"


CASES = {
    case.__name__: case
    for case in (
        second_checkout,
        restart,
        wrong_password_reads,
        tls,
        server_gone,
        server_hangs,
        killed_in_upload,
        killed_in_download,
        disk_full,
        losing.evicted_blob,
        losing.left_then_evicted,
        losing.left_then_corrupted,
        losing.left_then_server_gone,
        losing.corrupted_blob,
        losing.truncated_blob,
        eight_clients,
        keeping.evicting,
        keeping.foreign_owner,
        keeping.root_owner,
    )
} | {
    "reader_writes": functools.partial(_refused, user=cache_server.READER),
    "nobody_writes": functools.partial(_refused, user=None),
    "wrong_password_writes": functools.partial(_refused, user=cache_server.WRONG),
}


@contextlib.contextmanager
def _bazels(folder: pathlib.Path, bazelrc: pathlib.Path) -> Iterator[list[Client]]:
    clients = [Client(folder, f"client{number}", bazelrc) for number in range(_CLIENTS)]
    try:
        yield clients
    finally:
        for client in clients:
            client.shut_down()


def _tried(case: Callable[[Trial], str], trial: Trial) -> tuple[bool, str]:
    try:
        return True, case(trial)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        # The next case starts its own server.
        for client in trial.clients:
            client.interrupt()
        return False, str(error)


def main(argv: Sequence[str]) -> None:
    del argv
    if unknown := sorted(set(_CASES.value) - set(CASES)):
        raise cli.UserError(f"--cases: there is no {unknown[0]!r}; there are {', '.join(CASES)}.")
    bazelrc = pathlib.Path(cli.workspace(), ".bazelrc")
    table = Table("case", "", "s", "what was seen", box=box.SIMPLE)
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="cache-failures-") as folder,
        _bazels(pathlib.Path(folder), bazelrc) as clients,
    ):
        # If root starts the server, another user may own the folder.
        os.chmod(folder, 0o711)
        for name in [name for name in CASES if name in (_CASES.value or CASES)]:
            place = pathlib.Path(folder, "cases", name)
            place.mkdir(parents=True)
            begun = time.monotonic()
            right, words = _tried(CASES[name], Trial(place, clients))
            seconds = f"{time.monotonic() - begun:.1f}"
            failed += not right
            mark = "right" if right else "WRONG"
            table.add_row(name, mark, seconds, words)
            print(f"{name}: {mark}, {seconds} s", flush=True)
            if not right:
                print(words, flush=True)
    Console(width=160).print(table)
    if failed:
        raise cli.UserError(f"{failed} case(s) did not end right; they are above.")
    print(f"{table.row_count} cases ended right.")


if __name__ == "__main__":
    cli.run(main)
