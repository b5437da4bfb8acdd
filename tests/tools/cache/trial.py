"""The environment of a case of failures.py: a server, Bazel clients and expected outputs."""

import contextlib
import pathlib
import shutil
from collections.abc import Callable, Sequence

from reproducible_tflite.lib.bazel import cache_server
from reproducible_tflite.lib.bazel.outcome import Outcome
from tests.tools.cache import small_workspace
from tests.tools.cache.small_workspace import ACTIONS, Client

CI = "--config=ci"
READ = "--config=remote-cache"
# Downloads also what nobody asked for.
EVERYTHING = "--remote_download_outputs=all"
WRITER = cache_server.authorization(cache_server.WRITER)


def expect(condition: bool, complaint: str) -> None:
    """Fails a case unless a condition holds."""
    if not condition:
        raise AssertionError(complaint)


class Trial:
    """The environment of a case.

    Attributes:
      folder: a folder for the case.
      cache: the server's folder.
      seed: decides the bytes of the outputs.
      clients: checkouts, each with its own output root and home.
    """

    def __init__(self, folder: pathlib.Path, clients: Sequence[Client]) -> None:
        self.folder = folder
        self.seed = "seed"
        self.clients = clients
        self.writer, self.reader = clients[:2]
        self.users = folder / "users"
        cache_server.write_users(self.users)
        self.cache = folder / "cache"

    def serve(
        self, *options: str, preparation: Callable[[], None] | None = None
    ) -> contextlib.AbstractContextManager[cache_server.Server]:
        """Returns a server with users on the case's folder."""
        return cache_server.serving(
            self.cache, f"--users={self.users}", *options, preparation=preparation
        )

    def log(self) -> str:
        """Returns the server's output."""
        return cache_server.log_of(self.cache).read_text(encoding="utf-8")

    def prefilled(self) -> None:
        """Copies a full cache, which the first case that needs one fills."""
        filled = self.folder.with_name("filled")
        if not filled.exists():
            with self.serve() as server:
                self.fill(server)
            shutil.move(self.cache, filled)
        shutil.copytree(filled, self.cache)

    def write(
        self, client: Client, server: cache_server.Server, seed: str | None = None
    ) -> Outcome:
        """Builds everything as CI does."""
        address = f"--remote_cache={server.address()}"
        outcome = client.build(seed or self.seed, CI, address, WRITER)
        self.check(client, outcome, seed, everything=True)
        return outcome

    def fill(self, server: cache_server.Server) -> Outcome:
        """Builds everything as CI does, with an empty cache."""
        outcome = self.write(self.writer, server)
        expect(outcome.run == ACTIONS, f"filling ran {outcome.run} actions of {ACTIONS}")
        return outcome

    def read(self, server: cache_server.Server, *options: str, seed: str | None = None) -> Outcome:
        """Builds everything as a user does, with a clean checkout."""
        outcome = self.reader.build(
            seed or self.seed, READ, f"--remote_cache={server.address()}", *options
        )
        self.check(self.reader, outcome, seed, everything=EVERYTHING in options)
        return outcome

    def check(
        self, client: Client, outcome: Outcome, seed: str | None = None, everything: bool = False
    ) -> None:
        """Compares the outputs that a build left here with the expected ones.

        Args:
          client: the checkout.
          outcome: how the build ended.
          seed: that of the build; the case's own if None.
          everything: whether every output must be here, instead of only what was asked for.
        """
        expect(outcome.code == 0, f"the build ended with {outcome.code}: {outcome.log[-2000:]}")
        digests, wanted = client.digests(), small_workspace.expected(seed or self.seed)
        other = sorted(digests.items() - wanted.items())
        expect(not other, f"other bytes than expected: {other}")
        missing = sorted((wanted.keys() if everything else {"whole.bin"}) - digests.keys())
        expect(not missing, f"not here: {missing}")


def seen(outcome: Outcome) -> str:
    """Returns a summary of a build for a table."""
    notice = outcome.notices[0] if outcome.notices else "no warning"
    return f"{outcome.hits} hits, {outcome.run} run; {notice}"


def noticed(outcome: Outcome) -> None:
    """Expects that Bazel reported the problem."""
    expect(bool(outcome.notices), f"Bazel said nothing of what was wrong: {outcome.log}")
