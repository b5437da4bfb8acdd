"""Signatures of files by OpenSSF's model-signing, with a key or a certificate, without a network.

https://github.com/ossf/model-signing-spec. Only its ways without Sigstore's servers are used.
"""

import os
import pathlib
import tempfile
from collections.abc import Sequence

import model_signing
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import crypto

from reproducible_tflite.lib.attestation import keys
from reproducible_tflite.lib.cli import cli

ENDING = ".sig"

# What the package raises for wrong or damaged files.
_TROUBLES = (
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    UnsupportedAlgorithm,
    crypto.Error,
)


def signer(key: str, certificate: str | None, chain: Sequence[str]) -> model_signing.signing.Config:
    """Returns what signs files.

    Args:
      key: a private key's file; see `keys.read`.
      certificate: the key's certificate in PEM, if the signature is to contain it.
      chain: files with the certificates that lead from it to a root.

    Raises:
      cli.UserError: a file is missing or not such a file, or the certificate is another key's.
    """
    if not isinstance(keys.read(key), ec.EllipticCurvePrivateKey):
        raise cli.UserError(
            f"{key}: is an Ed25519 key, which model-signing does not take; give an ECDSA key on"
            " P-256, P-384 or P-521."
        )
    config = model_signing.signing.Config()
    if certificate is None:
        return config.use_elliptic_key_signer(private_key=key)
    for path in (certificate, *chain):
        cli.read_file(path, "certificate")
    try:
        return config.use_certificate_signer(
            private_key=key, signing_certificate=certificate, certificate_chain=chain
        )
    except _TROUBLES as error:
        raise cli.UserError(f"{certificate}: does not fit: {cli.first_line(error)}.") from error


def sign(model: str, config: model_signing.signing.Config) -> bytes:
    """Returns the signature of a file.

    Raises:
      cli.UserError: the file cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "signature")
        try:
            config.sign(model, path)
        except OSError as error:
            raise cli.UserError(f"{model}: cannot be read: {error.strerror}.") from error
        return path.read_bytes()


def verify(model: str, signature: str, public_key: str | None, roots: Sequence[str]) -> None:
    """Verifies a file's signature.

    Args:
      model: the file.
      signature: the signature's file.
      public_key: the file of the signer's public key; None for a signature with a certificate.
      roots: otherwise, files with the certificates that are trusted.

    Raises:
      cli.UserError: the signature is not one of this file by this key or certificate.
    """
    trusted = public_key or ", ".join(roots)
    config = model_signing.verifying.Config()
    if not os.path.isfile(model):
        raise cli.UserError(f"{model}: is not a file; give the .tflite that was signed.")
    try:
        if public_key:
            config.use_elliptic_key_verifier(public_key=public_key)
        else:
            config.use_certificate_verifier(certificate_chain=roots)
    except OSError as error:
        raise cli.UserError(f"{trusted}: cannot be read: {error.strerror}.") from error
    except _TROUBLES as error:
        raise cli.UserError(
            f"{trusted}: is not what verifies a signature of model-signing, an ECDSA public key or"
            " certificates in PEM."
        ) from error
    try:
        config.verify(model, signature)
    except OSError as error:
        raise cli.UserError(f"{error.filename}: cannot be read: {error.strerror}.") from error
    except (InvalidSignature, crypto.X509StoreContextError) as error:
        raise cli.UserError(
            f"{signature}: nobody trusted by {trusted} has signed this; it was changed, or another"
            f" key signed it ({cli.first_line(error)})."
        ) from error
    except _TROUBLES as error:
        if str(error).startswith("Signature mismatch"):
            raise cli.UserError(
                f"{model}: is not the file that was signed; it is another one, or was changed."
            ) from error
        raise cli.UserError(f"{signature}: is refused: {cli.first_line(error)}.") from error
