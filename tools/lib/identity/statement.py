"""What a model is, out of the provenance statement that lies beside its file.

A file that a person gives was built by nobody knows whom: it is foreign, unless
`x.provenance.json` lies beside `x.tflite` and names its sha256. tools/steps/provenance writes such
a statement; tools/provenance verifies one and its signature, which is not done here.
"""

import hashlib
import json
import os
import sys
from typing import Any

from tools.lib.cli import cli
from tools.lib.identity.identity import Identity

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:reproducible-tflite:build:tflite-model:v1"

_ENDING = ".provenance.json"


def _is_of(statement: Any, sha256: str) -> bool:
    """Whether a statement says of a file how this project built it."""
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
    """Returns what a statement says that a file is; None if it is one of other files.

    Args:
      content: the statement.
      sha256: the file's, in hexadecimal.
      source: where the statement is, for messages.

    Raises:
      cli.UserError: it is damaged, or no statement at all.
    """
    try:
        statement = json.loads(content)
        return _identity(statement) if _is_of(statement, sha256) else None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise cli.UserError(
            f"{source}: not a provenance statement ({type(error).__name__}:"
            f" {cli.first_line(error)}); put the model's own there, or take this one away."
        ) from error


def beside(path: str, content: bytes) -> Identity | None:
    """Returns what the statement beside a file says that it is; None for a foreign file.

    Says so on stderr when a statement lies there that is one of other files.

    Args:
      path: the .tflite.
      content: what is in it.

    Raises:
      cli.UserError: as of `identity`, or the statement cannot be read.
    """
    place = path.removesuffix(".tflite") + _ENDING
    if not os.path.exists(place):
        return None
    sha256 = hashlib.sha256(content).hexdigest()
    stated = identity(cli.read_file(place, "provenance statement"), sha256, place)
    if stated is None:
        print(
            f"NOTE: {place} does not speak of {path} as it is now, which counts as foreign.",
            file=sys.stderr,
        )
    return stated
