"""Signs and verifies statements: DSSE envelopes by securesystemslib, with keys from files."""

import json
import os
import stat

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from securesystemslib import dsse, exceptions
from securesystemslib.signer import CryptoSigner, SSlibKey

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.provenance import validation, verify_tflite

_PRIVATE_KEYS = (ed25519.Ed25519PrivateKey, ec.EllipticCurvePrivateKey)
_KINDS = "an Ed25519 key, or an ECDSA key on P-256, P-384 or P-521"


def read_signer(path: str) -> CryptoSigner:
    """Reads a private key to which only its owner has access.

    Args:
      path: a PEM file (PKCS#8), not encrypted.

    Raises:
      cli.UserError: others have access to the file, or it is not such a key.
    """
    content = cli.read_file(path, "private key")
    if b"PUBLIC KEY-----" in content:
        raise cli.UserError(f"{path}: is a public key; give the private key.")
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o077:
        raise cli.UserError(
            f"{path}: not only its owner has access to this private key (mode {mode:04o}); run:"
            f" chmod 600 {path}"
        )
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError as error:
        raise cli.UserError(
            f"{path}: the private key is encrypted; give an unencrypted one."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise cli.UserError(f"{path}: is not a private key in PEM; give {_KINDS}.") from error
    try:
        if isinstance(key, _PRIVATE_KEYS):
            return CryptoSigner(key)
    except (ValueError, UnsupportedAlgorithm):
        # The library has no scheme for this curve.
        pass
    raise cli.UserError(f"{path}: the private key has an unsupported type; give {_KINDS}.")


def parse_valid_statement(content: bytes, source: str) -> dict:
    """Parses a statement and validates it by this project's checks and in-toto's own bindings.

    Raises:
      cli.UserError: it is not valid.
    """
    try:
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
    try:
        key = SSlibKey.from_crypto(serialization.load_der_public_key(der))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise cli.UserError(f"{public_key}: is not a valid public key.") from error
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
