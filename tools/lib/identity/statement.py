"""A model's identity, from the provenance statement next to its file.

A file that a person gives is foreign, unless `x.provenance.json` lies next to `x.tflite` and names
its sha256. tools/steps/provenance writes such a statement. This module does not verify it or its
signature; tools/provenance does.
"""

import json
import os
from typing import Any

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.tflite_file import mapped
from reproducible_tflite.lib.tflite_file.mapped import Content

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:reproducible-tflite:build:tflite-model:v1"

_ENDING = ".provenance.json"


def _describes(statement: Any, sha256: str) -> bool:
    """Returns whether a statement says how this project built the file with this digest."""
    digests = [subject["digest"].get("sha256") for subject in statement["subject"]]
    types = statement["_type"], statement["predicateType"]
    if sha256 not in digests or types != (STATEMENT_TYPE, PREDICATE_TYPE):
        return False
    return statement["predicate"]["buildDefinition"]["buildType"] == BUILD_TYPE


def _identity(statement: Any) -> Identity:
    definition = statement["predicate"]["buildDefinition"]
    external, internal = definition["externalParameters"], definition["internalParameters"]
    return Identity(
        name=external["target"].rpartition(":")[2],
        weights=external["weights"],
        preprocessing=internal["preprocessing"],
        tensorflow=external["tensorflowVersion"],
        interpreter=internal["interpreter"],
    )


def identity(content: bytes, sha256: str, source: str) -> Identity | None:
    """Returns a file's identity from a statement; None if it describes other files.

    `source` is the statement's path, for messages.

    Raises:
      cli.UserError: the statement is damaged, or is not one.
    """
    try:
        statement = json.loads(content)
        return _identity(statement) if _describes(statement, sha256) else None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise cli.UserError(
            f"{source}: not a provenance statement ({type(error).__name__}:"
            f" {cli.first_line(error)}); put the model's own there, or remove this file."
        ) from error


def stated_identity(path: str, content: Content) -> Identity | None:
    """Returns a file's identity from the statement next to it; None for a foreign file.

    Prints a note on stderr if that statement describes other files.

    Raises:
      cli.UserError: see `identity`; or the statement cannot be read.
    """
    statement_path = path.removesuffix(".tflite") + _ENDING
    if not os.path.exists(statement_path):
        return None
    sha256 = mapped.sha256(content)
    stated = identity(cli.read_file(statement_path, "provenance statement"), sha256, statement_path)
    if stated is None:
        cli.note(
            f"NOTE: {statement_path} does not describe {path} as it is now; the file counts as"
            " foreign."
        )
    return stated
