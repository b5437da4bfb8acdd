"""Rebuilds targets from nothing, in different surroundings, and finds what depends on those.

    bazel run //tools/audit -- //models:mobiledet_qat
    bazel run //tools/audit -- --builds=3 //models:all_models

The first round is plain; every other round has different surroundings (surroundings.py). No result
comes from a cache; rounds share only downloads, by digest. Every action's inputs and outputs are
compared, and the first action that diverged is run again, one change at a time, to find out why. In
one round, every file that an action opens is recorded; a file that no input declares is a leak.

Exit code 0: everything is equal and nothing leaked; 1: something differs or leaked, or has no
summary; 2: the audit failed, and one sentence says why.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import functools
import pathlib
import signal
import sys
import time
from collections.abc import Mapping, Sequence

from absl import flags
from rich import progress
from rich.console import Console

from reproducible_tflite.audit import (
    emulator,
    examination,
    origin,
    record,
    report,
    rounds,
    summaries,
    surroundings,
)
from reproducible_tflite.lib.bazel import client
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.cli import cli

_BUILDS = flags.DEFINE_integer("builds", 2, "How many rounds, the plain one included.", 2, 100)
_EMULATE = flags.DEFINE_string(
    "emulate",
    "smallest",
    "What to build on an emulated processor too: smallest (the target whose actions write the "
    "fewest bytes), all, none, or a list of targets.",
)
_CPU_MODEL = flags.DEFINE_string(
    "cpu_model", "Haswell", "The emulated processor; `qemu-x86_64 -cpu help` lists them."
)
_DIRECTORY = flags.DEFINE_string(
    "directory",
    None,
    "The folder for the rounds, about 5 GB each, two at a time. Called again with the same folder, "
    "an interrupted audit continues. If not given, a temporary folder that is removed at the end.",
)
_REPOSITORY_CACHE = flags.DEFINE_string(
    "repository_cache", None, "The repository cache; Bazel's own if not given."
)
_JSON = flags.DEFINE_string("json", None, "Where to write the report for programs.")
_HTML = flags.DEFINE_string("html", None, "Where to write the report for people.")

# How much slower an emulated processor is, roughly.
_EMULATION = 10
# Seconds between two lines about a build in a log.
_LINE_SECONDS = 60


def expand(patterns: Sequence[str]) -> list[str]:
    """Returns the targets that match Bazel's patterns; a filegroup stands for its sources.

    Raises:
      cli.UserError: there is no target, or Bazel does not know one of them.
    """
    if not patterns:
        raise cli.UserError("no target is given; name one, such as //models:mobiledet_qat.")
    words = " ".join(f'"{pattern}"' for pattern in patterns)
    ask = functools.partial(client.query, BAZEL_FLAG.value, "--ui_event_filters=-info")
    groups = ask(f'kind("^filegroup rule", set({words}))')
    rules = ask(f'kind("rule$", set({words}))')
    chosen = [label for label in rules.splitlines() if label not in groups.splitlines()]
    if groups:
        members = " ".join(f'"{label}"' for label in groups.splitlines())
        inner = ask(f'kind("rule$", labels(srcs, set({members})))')
        chosen += inner.splitlines()
    if not chosen:
        raise cli.UserError(f"{' '.join(patterns)}: there is no rule among them to build.")
    return sorted(set(chosen))


def repository_cache() -> str:
    """Returns where downloads are kept."""
    chosen = _REPOSITORY_CACHE.value
    return cli.callers_path(chosen) if chosen else client.ask("info", "repository_cache")


def emulated_targets(choice: str, targets: Sequence[str]) -> list[str] | None:
    """Returns which targets are built on an emulated processor; None for the smallest.

    Args:
      choice: smallest, all, none, or Bazel's patterns with commas between them.
      targets: the targets of the audit.

    Raises:
      cli.UserError: the choice names a target that is not in the audit.
    """
    if choice == "smallest":
        return None
    if choice in ("all", "none"):
        return list(targets) if choice == "all" else []
    named = expand([pattern for pattern in choice.split(",") if pattern])
    unknown = sorted(set(named) - set(targets))
    if unknown:
        raise cli.UserError(
            f"--emulate: {unknown[0]} is not one of the targets; give smallest, all, none or "
            "some of them."
        )
    return named


def duration(seconds: float) -> str:
    """Returns a time for people, such as "12 min"."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def build(
    round_: rounds.Round,
    targets: Sequence[str],
    cache: str,
    console: Console,
    expected: Mapping[str, float],
) -> list[record.Record]:
    """Builds the targets of a round that are not done yet and shows the progress.

    Args:
      round_: the round.
      targets: labels.
      cache: where downloads are kept.
      console: shows a progress bar on a terminal; elsewhere a line for each target, and one for
        each minute of its build.
      expected: the estimated seconds of targets.

    Raises:
      rounds.BuildFailed: Bazel failed.
    """
    done = len(round_.done(targets))
    if done:
        console.print(f"{round_.name}: {done} of {len(targets)} targets are done already")
    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(round_.name, total=len(targets), completed=done)

        begun = said = 0.0

        def show(target: str, finished: bool, working: str = "") -> None:
            nonlocal begun, said
            line = f"{round_.name}: {target}"
            bar.update(
                task,
                description=f"{line}: {working}" if working else line,
                advance=int(finished),
            )
            now = time.monotonic()
            if finished:
                seconds = record.read(round_.record_path(target)).seconds
                console.print(f"{line}: {seconds:.0f} s")
            elif not working:
                begun = said = now
                about = (
                    f"; about {duration(expected[target])}, judging by the plain round"
                    if target in expected
                    else ""
                )
                number = int(bar.tasks[0].completed) + 1
                if about or not console.is_terminal:
                    console.print(f"{line}: begins, {number} of {len(targets)}{about}")
            elif not console.is_terminal and now - said >= _LINE_SECONDS:
                said = now
                console.print(f"{line}: since {duration(now - begun)}: {working}", soft_wrap=True)

        return round_.build(targets, cache, show)


class Audit:
    """An audit in a folder."""

    def __init__(
        self,
        targets: Sequence[str],
        emulate: Sequence[str] | None,
        cache: str,
        directory: pathlib.Path,
        console: Console,
    ) -> None:
        self.targets = list(targets)
        self.emulate = emulate
        self.cache = cache
        self.directory = directory
        self.console = console
        self.made_with = origin.find(pathlib.Path(cli.workspace()), sys.argv[1:])
        self.key = rounds.source_digest(pathlib.Path(cli.workspace()))
        self.plain = self._round(surroundings.PLAIN)

    def _round(self, around: surroundings.Surroundings) -> rounds.Round:
        new_round = rounds.Round(around, self.directory / around.name, self.key, BAZEL_FLAG.value)
        new_round.open()
        return new_round

    def _build(self, round_: rounds.Round, targets: Sequence[str]) -> list[record.Record]:
        expected = {}
        if round_ is not self.plain:
            factor = _EMULATION if round_.around.inside.cpu_model else 1
            plain = self.plain.done(self.targets)
            expected = {done.target: done.seconds * factor for done in plain}
        return build(round_, targets, self.cache, self.console, expected)

    def _examined(self, round_: rounds.Round, targets: Sequence[str]) -> dict:
        """Builds and compares a perturbed round, unless that is done; returns the comparison."""
        if round_.compared is not None and round_.compared["targets"] == list(targets):
            self.console.print(f"{round_.name}: was built and compared already")
            return round_.compared
        if not self.plain.output_base.exists():
            # An earlier audit removed them when it was finished.
            self.plain.forget()
            self._build(self.plain, self.targets)
        failed = None
        try:
            self._build(round_, targets)
        except rounds.BuildFailed as error:
            failed = str(error)
        comparison = examination.examine(
            self.plain,
            round_,
            targets,
            failed,
            _CPU_MODEL.value,
            self.directory,
            self.console.print,
        )
        if failed:
            # An audit in the same folder tries again.
            round_.shutdown()
            return comparison
        round_.compared = comparison
        round_.remove_root()
        return comparison

    def run(self) -> report.Report:
        """Builds all rounds and compares them.

        Raises:
          cli.UserError: a target does not even build in the plain round.
        """
        try:
            self._build(self.plain, self.targets)
        except rounds.BuildFailed as error:
            raise cli.UserError(f"{error}\n(the plain build; nothing was perturbed)") from error
        perturbed = surroundings.rounds(_BUILDS.value)[1:]
        perturbed[0] = surroundings.traced(perturbed[0], self.directory)
        plan = [(around, self.targets) for around in perturbed]
        chosen = self.emulate
        if chosen is None:
            chosen = [self.plain.smallest(self.targets)]
        if chosen:
            plan.append((surroundings.emulated(_CPU_MODEL.value), chosen))
        examined = [self._examined(self._round(around), targets) for around, targets in plan]
        audit_report = report.make(
            self.targets, self.plain.done(self.targets), examined, self.made_with
        )
        self.plain.remove_root()
        return audit_report

    def sources_changed(self) -> bool:
        """Whether the sources changed, so that rounds may differ because of that."""
        return rounds.source_digest(pathlib.Path(cli.workspace())) != self.key


def publish(audit_report: report.Report, paths: Mapping[str, str], console: Console) -> None:
    """Shows a report, then writes its files; if one fails, the other is still written.

    Args:
      audit_report: the report.
      paths: the files' paths by "json" and "html", both optional.
      console: shows the report.

    Raises:
      cli.UserError: a file cannot be written.
    """
    report.show(audit_report, console)
    troubles = []
    for flag, render in (("json", report.to_json), ("html", report.to_html)):
        if flag in paths:
            try:
                with cli.output_file(paths[flag], "w") as stream:
                    stream.write(render(audit_report))
            except cli.UserError as error:
                troubles.append(str(error))
    if troubles:
        raise cli.UserError("\n".join(troubles))


def main(argv: Sequence[str]) -> None:
    console = cli.console(width=120)
    paths = {
        flag.name: cli.callers_path(flag.value) for flag in (_JSON, _HTML) if flag.value is not None
    }
    for path in paths.values():
        cli.check_output(path)
    summaries_plan = summaries.plan()
    targets = expand(argv[1:])
    emulate = emulated_targets(_EMULATE.value, targets)
    cache = repository_cache()
    if emulate != []:
        emulator.check(_CPU_MODEL.value, cache, BAZEL_FLAG.value)
    # When the audit is ended, its Bazel servers must end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with client.output_folder(_DIRECTORY.value, "audit-") as directory:
            if client.is_in_workspace(directory):
                raise cli.UserError(
                    f"--directory={directory} is in the workspace, whose files must not change "
                    "during an audit; name a folder outside."
                )
            audit = Audit(targets, emulate, cache, directory, console)
            audit_report = audit.run()
            changed = audit.sources_changed()
            statements = audit.plain.statements(targets)
            # Before the rounds are removed, so that a failure there does not lose the result.
            publish(audit_report, paths, console)
    except KeyboardInterrupt as error:
        kept = "with the same --directory, it continues" if _DIRECTORY.value else "nothing was kept"
        raise KeyboardInterrupt(f"Interrupted; {kept}.") from error
    if changed:
        raise cli.UserError("a source file changed during the audit; call it again.")
    complete = summaries_plan is None or summaries.write(audit_report, statements, summaries_plan)
    if not audit_report.sound or not complete:
        sys.exit(1)


if __name__ == "__main__":
    cli.run(main, positional=None, trouble=2)
