"""Compares a perturbed round with the plain one and finds out why they diverge."""

import collections
import dataclasses
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence

from reproducible_tflite.audit import record, replay, rounds
from reproducible_tflite.lib.bazel import findings
from reproducible_tflite.lib.bazel.execution_log import Action
from reproducible_tflite.lib.meaning import differing

# A diagnosis runs an action some ten times. Beyond this many, findings have no diagnosis.
_MOST_DIAGNOSES = 12


@dataclasses.dataclass(frozen=True)
class Finding:
    """A problem that an audit found.

    Attributes:
      kind: "divergence", "leak" or "failure".
      round: the name of the round.
      action: the name of the first action with the problem.
      paths: the outputs that differ, or the file that leaked.
      message: a sentence that describes the problem.
      cause: what causes it; "" if that is not known.
      files: how the outputs differ.
      tried: the changes that were tried in reruns of the action, with their results.
      others: the names of other actions with the same problem; of a failure, the targets that were
        then not built in the round.
    """

    kind: str
    round: str
    action: str
    paths: tuple[str, ...]
    message: str
    cause: str = ""
    files: tuple[differing.File, ...] = ()
    tried: tuple[replay.Tried, ...] = ()
    others: tuple[str, ...] = ()


_MESSAGES = {
    "output": "its inputs are equal, its outputs are not",
    "input": "reads a file that no action makes and that differs between the rounds",
    "command": "has another command line or environment",
    "actions": "ran in one of the rounds only",
}


def leak_findings(name: str, records: Sequence[record.Record]) -> list[Finding]:
    """Returns a finding for each file that was read without being declared."""
    readers = collections.defaultdict(list)
    for record_ in records:
        for leak in record_.leaks:
            readers[leak.path].append(leak.action)
    leaks_found = []
    for path, actions in sorted(readers.items()):
        first, *others = dict.fromkeys(actions)
        leaks_found.append(
            Finding(
                kind="leak",
                round=name,
                action=first,
                paths=(path,),
                message=f"reads {path}, which none of its inputs declares",
                cause="an undeclared input",
                others=tuple(others),
            )
        )
    return leaks_found


def changed_leaks(
    leaks: Sequence[record.Leak], action: str, digest: Callable[[str], str]
) -> list[str]:
    """Returns the undeclared files that an action read and that differ in the plain round.

    Args:
      leaks: the undeclared files that the perturbed round's actions read.
      action: the action's name.
      digest: returns the digest of a file in the plain round; "" if it does not exist there.
    """
    return [
        leak.path for leak in leaks if leak.action == action and leak.digest != digest(leak.path)
    ]


class _Examination:
    def __init__(
        self,
        plain: rounds.Round,
        other: rounds.Round,
        targets: Sequence[str],
        cpu_model: str,
        directory: pathlib.Path,
        say: Callable[[str], None],
    ) -> None:
        self.plain, self.other, self.say = plain, other, say
        self.records = other.done(targets)
        built = {record_.target for record_ in self.records}
        self.left = record.merged(plain.done(targets))
        self.right = record.merged(self.records)
        if built != set(targets):
            self.left = {key: action for key, action in self.left.items() if key in self.right}
        self.cpu_model = cpu_model
        self.directory = directory

    def _files(self, paths: Sequence[str]) -> tuple[differing.File, ...]:
        """Compares files of both rounds and keeps copies of them."""
        compared = []
        for path in paths:
            sides = [round_.execution_root / path for round_ in (self.plain, self.other)]
            if not all(side.is_file() for side in sides):
                continue
            left, right = (side.read_bytes() for side in sides)
            compared.append(differing.compare(path, left, right))
            for side, round_ in zip(sides, (self.plain, self.other), strict=True):
                kept = self.directory / "differing" / self.other.name / round_.name / path
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(side, kept)
        return tuple(compared)

    def _diagnosis(self, action: Action) -> replay.Diagnosis:
        external = self.other.output_base / "external"
        helpers = next(external.glob("*reproducible_tflite_cpython_3_11/audit"), None)
        again = replay.Replay(
            action,
            self.plain.execution_root,
            self.plain.output_base / "install" / "linux-sandbox",
            helpers,
            self.directory,
        )
        self.say(f"{self.other.name}: running {action.name} again, one change at a time")
        emulated = self.cpu_model if self.other.around.inside.cpu_model else None
        return replay.diagnose(again.run, emulated, replay.second)

    def _plain_digest(self, place: str) -> str:
        return rounds.digest(str(self.plain.read_leaked(place)))

    def finding(self, divergence: findings.Divergence, diagnose: bool) -> Finding:
        tried: tuple[replay.Tried, ...] = ()
        cause = {"input": "an input that a repository rule or a person changed"}.get(
            divergence.kind, ""
        )
        if divergence.kind == "output":
            leaks = [leak for record_ in self.records for leak in record_.leaks]
            changed = changed_leaks(leaks, divergence.action, self._plain_digest)
            if diagnose:
                diagnosis = self._diagnosis(self.left[divergence.key])
                cause, tried = diagnosis.cause, diagnosis.tried
            if changed and cause in ("", replay.RUN_TO_RUN):
                cause = f"{changed[0]}, which no input declares and which differs between rounds"
            if diagnose and not cause:
                cause = "none of the changes alone"
        paths = self._expanded(divergence)
        return Finding(
            kind="divergence",
            round=self.other.name,
            action=divergence.action,
            paths=paths,
            message=_MESSAGES[divergence.kind],
            cause=cause,
            files=self._files(paths),
            tried=tried,
            others=divergence.followers,
        )

    def _expanded(self, divergence: findings.Divergence) -> tuple[str, ...]:
        """Returns the paths of a divergence; for a big folder, its files that differ."""
        if divergence.kind != "input":
            return divergence.paths
        (path,) = divergence.paths
        left, right = self.left[divergence.key].inputs, self.right[divergence.key].inputs
        listings = self.plain.listing(left.get(path, "")), self.other.listing(right.get(path, ""))
        if None in listings:
            return divergence.paths
        return tuple(f"{path}/{name}" for name in findings.differing(*listings)[:10])


def _counts(actions: Mapping[findings.Key, Action], records: Sequence[record.Record]) -> dict:
    return {
        "actions": len(actions),
        "perturbed_inside": sum(map(findings.is_perturbed, actions.values())),
        "traced": sum(record_.traced for record_ in records),
        "inputs": sum(len(action.inputs) for action in actions.values()),
        "outputs": sum(len(action.digests) for action in actions.values()),
        "seconds": round(sum(record_.seconds for record_ in records), 1),
    }


def examine(
    plain: rounds.Round,
    other: rounds.Round,
    targets: Sequence[str],
    failed: str | None,
    cpu_model: str,
    directory: pathlib.Path,
    say: Callable[[str], None],
) -> dict:
    """Compares a round with the plain one.

    Args:
      plain: the plain round, built.
      other: the perturbed round.
      targets: the targets that were built.
      failed: why the build failed; None if it did not.
      cpu_model: the emulated processor.
      directory: the audit's folder, to which the files that differ are copied.
      say: prints a line about progress.

    Returns:
      The findings and how the round was built, as values for JSON.
    """
    examination = _Examination(plain, other, targets, cpu_model, directory, say)
    reported = [
        examination.finding(divergence, count < _MOST_DIAGNOSES)
        for count, divergence in enumerate(findings.compare(examination.left, examination.right))
    ]
    reported += leak_findings(other.name, examination.records)
    if failed:
        target, _, said = failed.partition(": ")
        message = f"does not build in these surroundings: {said}"
        built = {record_.target for record_ in examination.records}
        missing = tuple(label for label in targets if label not in built and label != target)
        reported.append(Finding("failure", other.name, target, (), message, others=missing))
    plain.shutdown()
    return {
        "name": other.name,
        "targets": list(targets),
        "applied": [dataclasses.asdict(applied) for applied in other.start.applied],
        "counts": _counts(examination.right, examination.records),
        "findings": [dataclasses.asdict(finding) for finding in reported],
    }
