"""Private keys from files."""

import os
import stat

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from reproducible_tflite.lib.cli import cli

KINDS = "an Ed25519 key, or an ECDSA key on P-256, P-384 or P-521"

_TYPES = (ed25519.Ed25519PrivateKey, ec.EllipticCurvePrivateKey)
_CURVES = ("secp256r1", "secp384r1", "secp521r1")

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def read(path: str) -> PrivateKey:
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
        raise cli.UserError(f"{path}: is not a private key in PEM; give {KINDS}.") from error
    curve = getattr(key, "curve", None)
    if not isinstance(key, _TYPES) or (curve and curve.name not in _CURVES):
        raise cli.UserError(f"{path}: the private key has an unsupported type; give {KINDS}.")
    return key
