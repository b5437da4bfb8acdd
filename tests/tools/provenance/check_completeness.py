"""Compares the materials of models with the inputs of the actions that made them.

    bazel run //tests/tools/provenance:check_completeness
    bazel run //tests/tools/provenance:check_completeness -- mobiledet_qat

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

from reproducible_tflite.lib.bazel import building, client
from reproducible_tflite.lib.cli import cli
from tests.hermeticity import check_actions

# Families with different converters, graph code and datasets.
_MODELS = ("mobiledet_qat", "edsr_f32b5_fp32", "mobilenet_v1_1.0_224")
# Materials of every model that are not among the inputs of actions.
_KINDS = {"bazel", "checkpoint"}


def _repository(path: str) -> str | None:
    parts = path.split("/")
    return parts[1] if parts[0] == "external" else None


def _path(name: str) -> str:
    """Returns the path of a source file, relative to the execution root."""
    repository, _, path = name.rpartition("//")
    return f"external/{repository.removeprefix('@')}/{path}" if repository else name


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
    """Returns the required kinds of materials that a statement lacks, sorted."""
    materials = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    return sorted(_KINDS - {row["annotations"]["kind"] for row in materials})


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
    models = [name.removeprefix("//models:") for name in argv[1:] or _MODELS]
    built = {model: building.build(f"//models:{model}.provenance", []) for model in models}
    root = client.ask("info", "execution_root")
    actions = check_actions.parse(json.loads(check_actions.ask_bazel()))
    faults = []
    for model in models:
        paths = built[model].files["default"]
        (path,) = [path for path in paths if path.endswith(".provenance.json")]
        statement = json.loads(cli.read_file(path, "statement"))
        makes = check_actions.behind(
            actions, lambda place, model=model: place.endswith(f"/{model}.tflite")
        )
        inputs = check_actions.sources(actions, makes)
        faults += [f"{model}: no material covers {path}" for path in uncovered(inputs, statement)]
        faults += [f"{model}: no material is of kind {kind}" for kind in missing_kinds(statement)]
        faults += [
            f"{model}: the digest of {name} is not that of the file"
            for name in wrong_digests(statement, root)
        ]
        materials = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        print(f"{model}: {len(makes)} actions, {len(inputs)} inputs, {len(materials)} materials")
    if faults:
        raise cli.UserError("; ".join(faults) + ".")


if __name__ == "__main__":
    cli.run(main, positional=None)
