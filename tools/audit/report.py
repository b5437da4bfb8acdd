"""The report of an audit: as JSON, as a page, and on the terminal."""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from reproducible_tflite.audit import origin, record, surroundings
from reproducible_tflite.lib.meaning import differing
from reproducible_tflite.lib.page import page

_FOLDER = pathlib.Path(__file__).parent
_NOT_COMPARED = "not compared"


@dataclasses.dataclass(frozen=True)
class Target:
    """A target and its verdict.

    Attributes:
      label: its label.
      seconds: how long the plain build took, without actions shared with earlier targets.
      size: the bytes of its own files.
      outputs: the sha256 of its own files, by path.
      verdict: "equal", "not compared" (after a failure, a round did not build it), "leaked",
        "diverged" or "failed"; if several apply, the last of them.
    """

    label: str
    seconds: float
    size: int
    outputs: dict[str, str]
    verdict: str

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """The name and the sha256 of each of its own files, the model itself first."""
        names = {path: pathlib.PurePosixPath(path).name for path in self.outputs}

        def rank(path: str) -> tuple[bool, str, str]:
            name = names[path]
            model = name.endswith(".tflite") and not name.endswith(".raw.tflite")
            return not model, name, path

        return tuple((names[path], self.outputs[path]) for path in sorted(names, key=rank))


@dataclasses.dataclass(frozen=True)
class Report:
    """An audit's result.

    Attributes:
      targets: the targets.
      rounds: what `examination.examine` returned for each round, without its findings.
      findings: the findings of all rounds as mappings of `examination.Finding`, divergences first.
      made_with: the sources, the programs and the machine.
    """

    targets: tuple[Target, ...]
    rounds: tuple[Mapping[str, Any], ...]
    findings: tuple[Mapping[str, Any], ...]
    made_with: origin.Origin

    @property
    def sound(self) -> bool:
        """Whether everything that was tried is equal and nothing leaked."""
        return not self.findings

    @property
    def untried(self) -> tuple[str, ...]:
        """What was not tried: what the machine does not allow, and what reached no action."""
        missing = [
            f"{round_['name']}: {applied['what']}: {applied['reason']}"
            for round_ in self.rounds
            for applied in round_["applied"]
            if applied["reason"]
        ]
        missing += [
            f"{round_['name']}: no action's Python was perturbed from inside"
            for round_ in self.rounds
            if not round_["counts"]["perturbed_inside"]
        ]
        if not any(round_["counts"]["traced"] for round_ in self.rounds):
            missing.append(
                "no round: what actions open was not listed, so leaks were not looked for"
            )
        return (*missing, *self._not_emulated())

    def _not_emulated(self) -> list[str]:
        emulated = {
            target
            for round_ in self.rounds
            for target in round_["targets"]
            if any(applied["what"] == surroundings.CPU_MODEL for applied in round_["applied"])
        }
        others = len({target.label for target in self.targets} - emulated)
        if not emulated:
            return ["no round: another CPU model was not tried"]
        if others:
            only = ", ".join(sorted(emulated))
            return [f"another CPU model: only {only} was built on it, {others} other(s) not"]
        return []


def _verdict(label: str, names: frozenset[str], round_findings: Sequence[Mapping[str, Any]]) -> str:
    found = set()
    for finding in round_findings:
        kind, concerned = finding["kind"], {finding["action"], *finding["others"]}
        if kind == "failure" and label in concerned:
            found.add("failed" if finding["action"] == label else _NOT_COMPARED)
        elif concerned & names:
            found.add({"divergence": "diverged", "leak": "leaked"}[kind])
    return next(
        (one for one in ("failed", "diverged", "leaked", _NOT_COMPARED) if one in found), "equal"
    )


def make(
    targets: Sequence[str],
    plain: Sequence[record.Record],
    examined: Sequence[Mapping[str, Any]],
    made_with: origin.Origin,
) -> Report:
    """Makes the report.

    Args:
      targets: the labels.
      plain: the plain round's records.
      examined: the comparison of each other round.
      made_with: the sources, the programs and the machine.
    """
    order = {kind: number for number, kind in enumerate(("failure", "divergence", "leak"))}
    all_findings = [finding for round_ in examined for finding in round_["findings"]]
    all_findings.sort(key=lambda finding: order[finding["kind"]])
    closures = record.closures(plain)
    by_label = {record_.target: record_ for record_ in plain}
    rows = []
    for label in sorted(targets):
        closure = closures[label]
        verdict = _verdict(label, closure.actions, all_findings)
        seconds = by_label[label].seconds
        rows.append(Target(label, seconds, closure.size, closure.ends, verdict))
    without = [{key: round_[key] for key in round_ if key != "findings"} for round_ in examined]
    return Report(tuple(rows), tuple(without), tuple(all_findings), made_with)


def _document(report: Report) -> dict[str, Any]:
    return {"sound": report.sound, "untried": report.untried} | dataclasses.asdict(report)


def to_json(report: Report) -> str:
    """Returns the report as JSON; equal reports give equal text."""
    return json.dumps(_document(report), indent=2, sort_keys=True) + "\n"


def to_html(report: Report) -> str:
    """Returns the report as a self-contained HTML page."""
    verdicts = collections.Counter(target.verdict for target in report.targets)
    return page.render(
        "report.html.tpl", _FOLDER, ("report.css",), report=report, verdicts=verdicts
    )


def show(report: Report, console: Console) -> None:
    """Prints the report as tables."""
    table = Table(title="Targets")
    for column in ("target", "verdict", "sha256 of what it made"):
        table.add_column(column, overflow="fold")
    for target in report.targets:
        # Names vary in length, so the digest comes first and stays on the first line if it folds.
        files = "\n".join(f"{digest[:16]} {name}" for name, digest in target.files)
        table.add_row(target.label, target.verdict, files)
    console.print(table)
    table = Table(title="Rounds")
    for column in ("round", "actions", "perturbed inside", "traced", "outputs", "seconds"):
        table.add_column(column, justify="left" if column == "round" else "right")
    for round_ in report.rounds:
        counts = round_["counts"]
        keys = ("actions", "perturbed_inside", "traced", "outputs", "seconds")
        table.add_row(round_["name"], *(str(counts[key]) for key in keys))
    console.print(table)
    for line in report.untried:
        console.print(f"not tried: {line}")
    for finding in report.findings:
        console.print(text(finding), soft_wrap=True)
    if not report.sound:
        console.print(f"{len(report.findings)} finding(s).")
    elif report.untried:
        console.print("All that was tried is equal; what was not tried is listed above.")
    else:
        console.print("All is equal and nothing leaked.")


def text(finding: Mapping[str, Any]) -> str:
    """Formats a finding in a few lines."""
    lines = [f"{finding['kind'].upper()} {finding['action']}: {finding['message']}"]
    if finding["cause"]:
        lines.append(f"  cause: {finding['cause']}")
    for file in finding["files"]:
        lines += [f"  {line}" for line in differing.lines(file)]
    for other in finding["others"]:
        lines.append(f"  {_NOT_COMPARED if finding['kind'] == 'failure' else 'also'}: {other}")
    return "\n".join(lines)
