"""Writes verification summaries of the models that an audit rebuilt and found equal."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags
from securesystemslib.signer import CryptoSigner

from reproducible_tflite.audit.report import Report, Target
from reproducible_tflite.lib.attestation import signing, summary, verify_tflite
from reproducible_tflite.lib.cli import cli

_SUMMARIES = flags.DEFINE_string(
    "summaries",
    None,
    "The folder for verification summaries (SLSA VSA), NAME.vsa.json, of models that are equal.",
)
_KEY = flags.DEFINE_string(
    "key", None, "PEM file of a private key: signs the summaries, as NAME.vsa.dsse.json."
)
_PROVENANCE = flags.DEFINE_multi_string(
    "provenance",
    [],
    "A model's signed provenance by another builder, NAME.provenance.dsse.json; may be repeated.",
)
_PUBLIC_KEY = flags.DEFINE_string(
    "public_key", None, "PEM file of the public key of that builder, whom you trust."
)


@dataclasses.dataclass(frozen=True)
class Other:
    """A signed statement of another builder.

    Attributes:
      path: its file, as a person gave it.
      sha256: of that file.
      statement: what it says.
    """

    path: str
    sha256: str
    statement: Mapping[str, Any]

    @property
    def digests(self) -> dict[str, str]:
        """The sha256 of each file that it is about, by name."""
        return {row["name"]: row["digest"]["sha256"] for row in self.statement["subject"]}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What summaries to write; see the flags.

    Attributes:
      folder: where to.
      signer: signs them; None for summaries without a signature.
      others: other builders' statements.
    """

    folder: str
    signer: CryptoSigner | None
    others: tuple[Other, ...]


def _other(path: str, public_key: str) -> Other:
    content = cli.read_file(cli.callers_path(path), "signed provenance")
    statement = signing.verified_statement(content, path, public_key)
    if statement["predicateType"] == summary.PREDICATE_TYPE:
        raise cli.UserError(f"{path}: is a summary; give a provenance statement.")
    return Other(path, hashlib.sha256(content).hexdigest(), statement)


def plan() -> Plan | None:
    """Reads the flags, before hours are spent; returns None if no summary is asked for.

    Raises:
      cli.UserError: flags do not go together, a file is not what it should be, or another builder's
        statement is signed by the own key or by nobody trusted.
    """
    if not _SUMMARIES.value:
        if _KEY.value or _PROVENANCE.value or _PUBLIC_KEY.value:
            raise cli.UserError(
                "--key, --provenance and --public_key are for summaries; give --summaries=FOLDER."
            )
        return None
    cli.check_output(os.path.join(_SUMMARIES.value, "x.vsa.json"))
    signer = signing.read_signer(cli.callers_path(_KEY.value)) if _KEY.value else None
    if bool(_PROVENANCE.value) != bool(_PUBLIC_KEY.value):
        raise cli.UserError("--provenance and --public_key belong together; give both.")
    if not _PROVENANCE.value:
        return Plan(_SUMMARIES.value, signer, ())
    public_key = cli.callers_path(_PUBLIC_KEY.value)
    if not signer:
        # Else nothing would tell your own provenance from another builder's.
        raise cli.UserError("--provenance is another builder's; give your own --key, too.")
    if signing.is_pair(signer, public_key):
        raise cli.UserError(
            f"{_PUBLIC_KEY.value}: is your own key; a model is reproduced only if another builder's"
            " provenance names the same bytes."
        )
    others = tuple(_other(path, public_key) for path in _PROVENANCE.value)
    return Plan(_SUMMARIES.value, signer, others)


def _inputs(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what was built and from what, by names for people, but not by which Bazel."""
    definition = statement["predicate"]["buildDefinition"]
    parameters = definition["externalParameters"] | definition["internalParameters"]
    recipe = parameters.pop("recipe", {})
    found = {"build type": definition["buildType"], **parameters}
    found |= {f"recipe of {label}": step for label, step in recipe.items()}
    for row in definition["resolvedDependencies"]:
        if row.get("annotations", {}).get("kind") != "bazel":
            found.setdefault(row["name"], []).append(row["digest"]["sha256"])
    return found


def _check_same(target: Target, models: Mapping[str, str], own: bytes, other: Other) -> None:
    """Raises `cli.UserError` if another builder made other bytes, or has built something else."""
    for name in other.digests.keys() & models.keys():
        if other.digests[name] != models[name]:
            raise cli.UserError(
                f"{target.label}: gets no summary: {other.path} has other bytes for {name}, sha256"
                f" {other.digests[name]}; here they are {models[name]}."
            )
    theirs = _inputs(other.statement)
    ours = _inputs(verify_tflite.parse_statement(own, f"{target.label}'s provenance"))
    for name in [*ours, *theirs]:
        if theirs.get(name) != ours.get(name):
            raise cli.UserError(
                f"{target.label}: gets no summary: {other.path} is about another build: its {name}"
                " differs; audit the same target of the same commit."
            )


def _of(target: Target, time: str, others: Sequence[Other], own: bytes | None) -> dict:
    """Returns a target's summary.

    Raises:
      cli.UserError: another builder made other bytes, or built something else.
    """
    files = dict(target.files)
    models = {name: files[name] for name in files if name.endswith(".tflite")}
    statements = {name: files[name] for name in files if name.endswith(".provenance.json")}
    named = [other for other in others if other.digests.keys() & models.keys()]
    if named and own is None:
        raise cli.UserError(f"{target.label}: gets no summary: it has no provenance of its own.")
    for other in named:
        _check_same(target, models, own, other)
    statements |= {os.path.basename(other.path): other.sha256 for other in named}
    return summary.build(models, target.label, time, statements, bool(named))


def make(
    report: Report, statements: Mapping[str, bytes], others: Sequence[Other]
) -> tuple[dict[str, dict], list[str]]:
    """Returns the summaries by model, and for each other target why it has none.

    Args:
      report: the audit's result.
      statements: the audit's own provenance of its targets, by label.
      others: other builders' statements.
    """
    summaries: dict[str, dict] = {}
    audited = {name for target in report.targets for name, _ in target.files}
    reasons = [
        f"{other.path}: is about none of these targets."
        for other in others
        if not other.digests.keys() & audited
    ]
    if any(finding["kind"] == "failure" for finding in report.findings):
        # What comes after the target that did not build was not compared.
        return {}, ["no summary: a round was not finished."]
    for target in report.targets:
        first = target.files[0][0] if target.files else ""
        if target.verdict != "equal":
            reasons.append(f"{target.label}: gets no summary: it {target.verdict}.")
        elif not first.endswith(".tflite"):
            reasons.append(f"{target.label}: gets no summary: it is no model.")
        else:
            try:
                model = first.removesuffix(".tflite")
                own = statements.get(target.label)
                summaries[model] = _of(target, report.made_with.date, others, own)
            except cli.UserError as error:
                reasons.append(str(error))
    return summaries, reasons


def write(report: Report, statements: Mapping[str, bytes], chosen: Plan) -> bool:
    """Writes the summaries of an audit and says what was written.

    Args:
      report: the audit's result.
      statements: see `make`.
      chosen: what to write.

    Returns:
      Whether every target has one.

    Raises:
      cli.UserError: a file cannot be written.
    """
    summaries, reasons = make(report, statements, chosen.others)
    for model, document in summaries.items():
        name, text = f"{model}.vsa.json", summary.text(document)
        if chosen.signer:
            text = signing.sign(text.encode("ascii"), name, chosen.signer)
            name = f"{model}.vsa.dsse.json"
        path = os.path.join(chosen.folder, name)
        with cli.output_file(cli.callers_path(path), "w") as stream:
            stream.write(text)
        cli.say(f"{path}: {', '.join(document['predicate']['verifiedLevels'])}")
    for reason in reasons:
        cli.note(reason)
    return not reasons
