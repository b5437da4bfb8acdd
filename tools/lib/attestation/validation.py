"""Validates statements against in-toto's and SLSA's schemas, by in-toto's own bindings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1 import resource_descriptor, statement, statement_pb2

# Required by https://slsa.dev/spec/v1.0/provenance; protocol buffers have no required fields.
_REQUIRED = (
    "build_definition.build_type",
    "build_definition.external_parameters",
    "run_details.builder.id",
)

# The same for https://slsa.dev/spec/v1.2/verification_summary.
_REQUIRED_OF_SUMMARY = (
    "verifier.id",
    "resource_uri",
    "policy.uri",
    "verification_result",
    "verified_levels",
)


def _check_required(message: Any, paths: Sequence[str]) -> None:
    for path in paths:
        value = message
        for field in path.split("."):
            value = getattr(value, field)
        if not value or (path.endswith("parameters") and not value.fields):
            raise ValueError(f"{path} is required")


def _check_descriptors(rows: Iterable[Any]) -> None:
    for row in rows:
        resource_descriptor.ResourceDescriptor.copy_from_pb(row).validate()
        if not row.digest.get("sha256"):
            raise ValueError(f"{row.name} has no sha256")


def validate_summary(document: Mapping[str, Any]) -> None:
    """Validates an in-toto Statement v1 with a SLSA verification summary v1.

    Raises:
      ValueError: the document is not one.
    """
    try:
        message = json_format.ParseDict(document, statement_pb2.Statement())
        predicate = dict(document["predicate"])
        levels = predicate["verifiedLevels"]
        if not isinstance(levels, list) or not levels or len(set(levels)) < len(levels):
            raise ValueError("verified_levels is not a list of different levels")
        # SLSA says a list; the bindings take one string.
        summaries = [
            json_format.ParseDict(
                predicate | {"verifiedLevels": level}, vsa_pb2.VerificationSummary()
            )
            for level in levels
        ]
    except (json_format.ParseError, KeyError, TypeError) as error:
        raise ValueError(f"does not fit the schema: {error}") from error
    statement.Statement.copy_from_pb(message).validate()
    _check_descriptors(message.subject)
    for summary in summaries:
        _check_required(summary, _REQUIRED_OF_SUMMARY)
    if summaries[0].verification_result not in ("PASSED", "FAILED"):
        raise ValueError("verification_result is neither PASSED nor FAILED")
    for row in summaries[0].input_attestations:
        if not row.digest.get("sha256"):
            raise ValueError(f"{row.uri} has no sha256")


def validate_statement(document: Mapping[str, Any]) -> None:
    """Validates an in-toto Statement v1 with SLSA provenance v1.

    Raises:
      ValueError: the document is not one.
    """
    try:
        # Unknown fields and wrong types are errors here.
        message = json_format.ParseDict(document, statement_pb2.Statement())
        predicate = json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())
    except (json_format.ParseError, KeyError) as error:
        raise ValueError(f"does not fit the schema: {error}") from error
    statement.Statement.copy_from_pb(message).validate()
    _check_required(predicate, _REQUIRED)
    _check_descriptors(predicate.build_definition.resolved_dependencies)
    _check_descriptors(predicate.run_details.byproducts)
