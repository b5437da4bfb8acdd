"""Verification summaries: what an audit verified of a model's files, as SLSA 1.2 states it.

https://slsa.dev/spec/v1.2/verification_summary; tools/audit/README.md describes the policy.
"""

import json
from collections.abc import Mapping
from typing import Any

from reproducible_tflite.lib.attestation import verify_tflite

PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
VERIFIER = "urn:reproducible-tflite:verifier:audit:v1"
POLICY = "urn:reproducible-tflite:policy:rebuilt-equal:v1"

# Every audit's claim: its rounds agree. SLSA reserves other names to itself.
REBUILT_EQUAL = "REPRODUCIBLE_TFLITE_REBUILT_EQUAL"
# https://slsa.dev/spec/v1.2/verified-properties: only with the provenance of two builders or more.
REPRODUCED = "SLSA_BUILD_REPRODUCED"
_UNEVALUATED = "SLSA_BUILD_LEVEL_UNEVALUATED"


def build(
    subjects: Mapping[str, str],
    target: str,
    time: str,
    attestations: Mapping[str, str],
    reproduced: bool,
) -> dict[str, Any]:
    """Returns the statement that a target passed an audit.

    Args:
      subjects: the sha256 of its files by name.
      target: its label.
      time: when it was audited, as in "2026-03-01T12:00:00Z".
      attestations: the sha256 of each statement that was used by its file name.
      reproduced: whether another builder's provenance is among them and names the same bytes.
    """
    return {
        "_type": verify_tflite.STATEMENT_TYPE,
        "subject": [
            {"name": name, "digest": {"sha256": digest}} for name, digest in subjects.items()
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "verifier": {"id": VERIFIER},
            "timeVerified": time,
            "resourceUri": f"urn:reproducible-tflite:target:{target}",
            "policy": {"uri": POLICY},
            "inputAttestations": [
                {"uri": name, "digest": {"sha256": digest}} for name, digest in attestations.items()
            ],
            "verificationResult": "PASSED",
            "verifiedLevels": [_UNEVALUATED, REBUILT_EQUAL, *([REPRODUCED] if reproduced else [])],
            "slsaVersion": "1.2",
        },
    }


def text(document: Mapping[str, Any]) -> str:
    """Returns a summary as JSON."""
    return json.dumps(document, indent=2) + "\n"


def facts(document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Returns the most important facts of a valid summary, as pairs of a heading and a value."""
    predicate = document["predicate"]
    return [
        ("result", predicate["verificationResult"]),
        ("levels", ", ".join(predicate["verifiedLevels"])),
        ("resource", predicate["resourceUri"]),
        ("verifier", predicate["verifier"]["id"]),
        ("policy", predicate["policy"]["uri"]),
        ("verified", predicate.get("timeVerified", "not stated")),
    ]
