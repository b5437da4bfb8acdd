"""Compares the materials of models with the inputs of the actions that made them.

    bazel run //tests/tools/provenance:check_completeness
    bazel run //tests/tools/provenance:check_completeness -- //my:model

Every input that is not the output of an action must be a material itself, or in an external
repository that a material names. Bazel and the checkpoint, which are no such inputs, must also be
materials.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.bazel import building, client, labels
from reproducible_tflite.lib.cli import cli
from tests.hermeticity import check_actions

# Families with different converters, graph code and datasets.
_MODELS = ("//models:mobiledet_qat", "//models:edsr_f32b5_fp32", "//models:mobilenet_v1_1.0_224")


def _repository(path: str) -> str | None:
    parts = path.split("/")
    return parts[1] if parts[0] == "external" else None


def _path(name: str) -> str:
    """Returns the path of a source file, relative to the execution root."""
    repository, _, path = name.rpartition("//")
    if repository == "@reproducible_tflite":
        repository = labels.own("")
    return f"external/{repository.lstrip('@')}/{path}" if repository else name


def uncovered(inputs: Collection[str], statement: Mapping[str, Any]) -> list[str]:
    """Returns the inputs, relative to the execution root, that no material covers, sorted."""
    materials = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    names = {_path(row["name"]) for row in materials if row["annotations"]["kind"] == "source file"}
    repositories = {
        name for row in materials for name in row["annotations"].get("repositories", [])
    }
    return sorted(
        path for path in inputs if path not in names and _repository(path) not in repositories
    )


def missing_kinds(statement: Mapping[str, Any]) -> list[str]:
    """Returns the kinds of materials, apart from inputs, that a statement lacks, sorted."""
    definition = statement["predicate"]["buildDefinition"]
    steps = definition["externalParameters"]["recipe"].values()
    kinds = {"bazel"}
    converted = definition["internalParameters"]["converter"]
    if converted and any("checkpoint" in step["rule"] for step in steps):
        kinds.add("checkpoint")
    materials = definition["resolvedDependencies"]
    return sorted(kinds - {row["annotations"]["kind"] for row in materials})


def wrong_digests(statement: Mapping[str, Any], root: str) -> list[str]:
    """Returns the names of source files whose digest differs from that of the file below `root`."""
    wrong = []
    for row in statement["predicate"]["buildDefinition"]["resolvedDependencies"]:
        if row["annotations"]["kind"] == "source file":
            content = cli.read_file(os.path.join(root, _path(row["name"])), "source file")
            if hashlib.sha256(content).hexdigest() != row["digest"]["sha256"]:
                wrong.append(row["name"])
    return wrong


def main(argv: Sequence[str]) -> None:
    """Builds the models' statements and checks them."""
    models = argv[1:] or [labels.own(model) for model in _MODELS]
    built = building.build_all(models, [], ["provenance"])
    root = client.ask("info", "execution_root")
    programs = labels.own("//tools/steps/convert:on_python_3_11")
    query = f"deps(set({' '.join(models)})) union deps({programs})"
    actions = check_actions.parse(json.loads(check_actions.ask_bazel(query)))
    faults = []
    for model in built:
        paths = model.files.get("provenance", [])
        statements = [path for path in paths if path.endswith(".provenance.json")]
        if len(statements) != 1:
            raise cli.UserError(f"{model.label}: not a model; give labels of models.")
        statement = json.loads(cli.read_file(statements[0], "statement"))
        definition = statement["predicate"]["buildDefinition"]
        # Not an alias.
        target = definition["externalParameters"]["target"]
        place = labels.in_its_repository(target).removeprefix("/").replace(":", "/")
        makes = check_actions.behind(
            actions, lambda path, place=place: f"/{path}".endswith(f"{place}.tflite")
        )
        inputs = check_actions.sources(actions, makes)
        faults += [f"{target}: no material covers {path}" for path in uncovered(inputs, statement)]
        faults += [f"{target}: no material is of kind {kind}" for kind in missing_kinds(statement)]
        faults += [
            f"{target}: the digest of {name} is not that of the file"
            for name in wrong_digests(statement, root)
        ]
        materials = definition["resolvedDependencies"]
        print(f"{target}: {len(makes)} actions, {len(inputs)} inputs, {len(materials)} materials")
    if faults:
        raise cli.UserError("; ".join(faults) + ".")


if __name__ == "__main__":
    cli.run(main, positional=None)
