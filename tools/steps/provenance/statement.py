"""A model's provenance: an in-toto Statement v1 whose predicate is SLSA provenance v1.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://slsa.dev/spec/v1.0/provenance; tools/provenance/README.md describes the fields.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.identity.statement import BUILD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE
from reproducible_tflite.steps.provenance.materials import Material

BUILDER_ID = "urn:reproducible-tflite:builder:bazel:v1"


def text(document: Mapping[str, Any]) -> str:
    """Returns a document as ASCII JSON, in the order of its keys: the same bytes everywhere."""
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def recipe(request: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the rule and attributes of each step by its target's label, sorted by label."""
    steps = {step["label"]: step for step in request["steps"]}
    return {
        label: {"rule": steps[label]["rule"], "attributes": steps[label]["attributes"]}
        for label in sorted(steps)
    }


def _builder_version(bazel: Mapping[str, str]) -> dict[str, str]:
    version = {"bazel": bazel["version"] or "not stated"}
    if not bazel["sha256"]:
        version["bazel_digest"] = "not stated: A-server.jar does not lie beside Bazel's tools"
    return version


def build(
    request: Mapping[str, Any],
    subjects: Mapping[str, str],
    materials: Sequence[Material],
    byproducts: Mapping[str, str],
) -> dict[str, Any]:
    """Returns the statement."""

    def described(files: Mapping[str, str]) -> list[dict[str, Any]]:
        return [{"name": name, "digest": {"sha256": digest}} for name, digest in files.items()]

    return {
        "_type": STATEMENT_TYPE,
        "subject": described(subjects),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "target": request["target"],
                    "weights": request["weights"],
                    "tensorflowVersion": request["tensorflow_version"],
                    "recipe": recipe(request),
                },
                "internalParameters": {
                    "platform": "linux-x86_64",
                    "converter": request["converter"],
                    "interpreter": request["interpreter"],
                    "preprocessing": request["preprocessing"],
                    "weightsDescription": request["weights_description"],
                    "weightsAreSynthetic": request["weights"] == "seeded",
                    "forBenchmarksOnly": request["benchmark_only"],
                },
                "resolvedDependencies": list(materials),
            },
            "runDetails": {
                "builder": {"id": BUILDER_ID, "version": _builder_version(request["bazel"])},
                "byproducts": described(byproducts),
            },
        },
    }
