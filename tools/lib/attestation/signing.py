"""Signs and verifies statements: DSSE envelopes by securesystemslib, with keys from files."""

import json

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from securesystemslib import dsse, exceptions
from securesystemslib.signer import CryptoSigner, SSlibKey

from reproducible_tflite.lib.attestation import keys, summary, validation, verify_tflite
from reproducible_tflite.lib.cli import cli


def read_signer(path: str) -> CryptoSigner:
    """Reads a private key; see `keys.read`."""
    return CryptoSigner(keys.read(path))


def parse_valid_statement(content: bytes, source: str) -> dict:
    """Parses a statement and validates it by this project's checks and in-toto's own bindings.

    It is a provenance statement or a verification summary.

    Raises:
      cli.UserError: it is not valid.
    """
    try:
        document = verify_tflite.parse_json(content, source)
        if document.get("predicateType") == summary.PREDICATE_TYPE:
            validation.validate_summary(document)
        else:
            document = verify_tflite.parse_statement(content, source)
            validation.validate_statement(document)
    except verify_tflite.Refused as error:
        raise cli.UserError(str(error)) from error
    except ValueError as error:
        raise cli.UserError(
            f"{source}: is not a valid statement: {cli.first_line(error)}."
        ) from error
    return document


def sign(content: bytes, source: str, signer: CryptoSigner) -> str:
    """Returns the envelope of a statement, as JSON; `source` is its name, for messages.

    Raises:
      cli.UserError: it is not a valid statement.
    """
    parse_valid_statement(content, source)
    envelope = dsse.Envelope(content, verify_tflite.PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return json.dumps(envelope.to_dict(), indent=2) + "\n"


def _key(der: bytes, public_key: str) -> SSlibKey:
    try:
        return SSlibKey.from_crypto(serialization.load_der_public_key(der))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise cli.UserError(f"{public_key}: is not a valid public key.") from error


def is_pair(signer: CryptoSigner, public_key: str) -> bool:
    """Returns whether a public key's file belongs to a private key.

    Raises:
      cli.UserError: the file is not a public key.
    """
    try:
        der, _ = verify_tflite.read_public_key(public_key)
    except verify_tflite.Refused as error:
        raise cli.UserError(str(error)) from error
    return signer.public_key.keyid == _key(der, public_key).keyid


def verified_statement(content: bytes, source: str, public_key: str) -> dict:
    """Returns the statement of an envelope that the key in a PEM file has signed.

    Raises:
      cli.UserError: the key has not signed it, or it is not an envelope of a valid statement.
    """
    try:
        document = verify_tflite.parse_json(content, source)
        if "payload" not in document:
            raise cli.UserError(f"{source}: is not signed; sign it with //tools/provenance:sign.")
        payload = verify_tflite.parse_envelope(document, source).payload
        der, _ = verify_tflite.read_public_key(public_key)
    except verify_tflite.Refused as error:
        raise cli.UserError(str(error)) from error
    key = _key(der, public_key)
    try:
        dsse.Envelope.from_dict(document).verify([key], threshold=1)
    except exceptions.VerificationError as error:
        raise cli.UserError(
            f"{source}: the key of {public_key} has not signed this; the statement or its signature"
            " was changed, or another key signed it."
        ) from error
    except (KeyError, TypeError, ValueError, exceptions.FormatError) as error:
        raise cli.UserError(f"{source}: does not have the form of a signed envelope.") from error
    return parse_valid_statement(payload, source)
