"""Validates a statement against in-toto's and SLSA's schemas, by in-toto's own bindings."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import resource_descriptor, statement, statement_pb2

# Required by https://slsa.dev/spec/v1.0/provenance; protocol buffers have no required fields.
_REQUIRED = (
    "build_definition.build_type",
    "build_definition.external_parameters",
    "run_details.builder.id",
)


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
    for path in _REQUIRED:
        value = predicate
        for field in path.split("."):
            value = getattr(value, field)
        if not value or (path.endswith("parameters") and not value.fields):
            raise ValueError(f"{path} is required")
    for row in (
        *predicate.build_definition.resolved_dependencies,
        *predicate.run_details.byproducts,
    ):
        descriptor = resource_descriptor.ResourceDescriptor.copy_from_pb(row)
        descriptor.validate()
        if not row.digest.get("sha256"):
            raise ValueError(f"{row.name} has no sha256")
