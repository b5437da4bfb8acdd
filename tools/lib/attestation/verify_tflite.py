#!/usr/bin/env python3
"""Checks that a .tflite is the subject of a provenance statement, and lists what it was made from.

    python3 verify_tflite.py MODEL.tflite NAME.provenance.json
    python3 verify_tflite.py --public_key=KEY.pem MODEL.tflite NAME.provenance.dsse.json

This file needs only Python 3.8 or later: no Bazel, no package, no network. Signatures are checked
with the package `cryptography` if it is installed, otherwise with the command `openssl`. Exit code
0: the file is the subject and, with --public_key, the signature is valid. Exit code 1: a sentence
on stderr gives the reason.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import collections
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

# A statement has a few hundred kilobytes. Larger files are refused.
MAXIMUM_BYTES = 16 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What openssl prints for a wrong or malformed signature.
_FAILED = re.compile(rb"verification failure|error verifying data", re.IGNORECASE)
# The beginning of an Ed25519 public key in DER (RFC 8410), before its 32 bytes.
_ED25519_DER = bytes.fromhex("302a300506032b6570032100")
# The curves' object identifiers in DER, and the digest that goes with each.
_CURVES = {
    bytes.fromhex("06082a8648ce3d030107"): "sha256",
    bytes.fromhex("06052b81040022"): "sha384",
    bytes.fromhex("06052b81040023"): "sha512",
}


class Refused(Exception):
    """A file, a statement or a signature is not accepted. The message is one sentence."""


class Envelope(NamedTuple):
    """A DSSE envelope: https://github.com/secure-systems-lab/dsse/blob/master/envelope.md."""

    payload_type: str
    payload: bytes
    signatures: list[bytes]

    def signed_bytes(self) -> bytes:
        """Returns the bytes that are signed (DSSE's pre-authentication encoding)."""
        kind = self.payload_type.encode("utf-8")
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)


def printable(text: str) -> str:
    """Returns at most 300 characters of a text, with control characters replaced by "?"."""
    return "".join(character if character.isprintable() else "?" for character in text)[:300]


def read_document(path: str) -> bytes:
    """Reads a statement or an envelope; raises `Refused` if it cannot, or it is too large."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise Refused(f"{path}: cannot be read: {error.strerror}.") from None
    if not content:
        raise Refused(f"{path}: is empty; it may be a truncated download.")
    if len(content) > MAXIMUM_BYTES:
        raise Refused(f"{path}: is larger than {MAXIMUM_BYTES >> 20} MiB, so it is no statement.")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = collections.Counter(name for name, _ in pairs)
        raise Refused(f"has {printable(names.most_common(1)[0][0])!r} twice in one object")
    return members


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise Refused("has a number with more than 20 digits")
    return int(digits)


def _constant(name: str) -> None:
    raise Refused(f"has {name}, which is not JSON")


def parse_json(content: bytes, source: str) -> dict[str, Any]:
    """Parses a JSON object more strictly than Python; raises `Refused`, which names `source`."""
    try:
        document = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except Refused as error:
        raise Refused(f"{source}: {error}.") from None
    except RecursionError:
        raise Refused(f"{source}: is nested too deeply.") from None
    except ValueError as error:
        raise Refused(f"{source}: is not complete JSON in UTF-8: {error}.") from None
    if not isinstance(document, dict):
        raise Refused(f"{source}: is not a JSON object.")
    return document


def _base64(text: Any, source: str, what: str) -> bytes:
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error):
        raise Refused(f"{source}: its {what} is not base64.") from None
    # Only one text may stand for the same bytes.
    if base64.b64encode(content).decode("ascii") != text:
        raise Refused(f"{source}: its {what} is not canonical base64.")
    return content


def parse_envelope(document: dict[str, Any], source: str) -> Envelope:
    """Reads a DSSE envelope but not its payload; raises `Refused` if it has another form."""
    if document.get("payloadType") != PAYLOAD_TYPE:
        raise Refused(f"{source}: its payload type is not {PAYLOAD_TYPE}.")
    signatures = document.get("signatures")
    if not isinstance(signatures, list) or not all(isinstance(row, dict) for row in signatures):
        raise Refused(f"{source}: its signatures are not a list of objects.")
    if not signatures:
        raise Refused(f"{source}: has no signature.")
    return Envelope(
        PAYLOAD_TYPE,
        _base64(document.get("payload"), source, "payload"),
        [_base64(row.get("sig"), source, "signature") for row in signatures],
    )


def _at(document: Any, path: str, kind: type, source: str) -> Any:
    """Returns the value at a path like `predicate.runDetails`, which must be of the given type."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    if not isinstance(document, kind) or not document:
        raise Refused(f"{source}: is not a provenance statement: it has no valid {path}.")
    return document


def _check_descriptors(rows: list[Any], path: str, source: str) -> None:
    for number, row in enumerate(rows):
        digest = row.get("digest") if isinstance(row, dict) else None
        sha256 = digest.get("sha256") if isinstance(digest, dict) else None
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise Refused(f"{source}: {path}[{number}] has no sha256 with 64 hexadecimal digits.")
        if not isinstance(row.get("name"), str) or not row["name"]:
            raise Refused(f"{source}: {path}[{number}] has no name.")
        if not isinstance(row.get("annotations", {}), dict):
            raise Refused(f"{source}: {path}[{number}] has annotations that are not an object.")


def parse_statement(content: bytes, source: str) -> dict[str, Any]:
    """Reads an in-toto statement with SLSA provenance; raises `Refused` if it is not valid."""
    statement = parse_json(content, source)
    for name, value in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
        if statement.get(name) != value:
            raise Refused(f"{source}: is not a provenance statement: its {name} is not {value}.")
    _check_descriptors(_at(statement, "subject", list, source), "subject", source)
    definition = "predicate.buildDefinition."
    materials = _at(statement, definition + "resolvedDependencies", list, source)
    _check_descriptors(materials, "resolvedDependencies", source)
    for path, kind in (
        (definition + "buildType", str),
        (definition + "externalParameters", dict),
        (definition + "internalParameters", dict),
        ("predicate.runDetails.builder.id", str),
    ):
        _at(statement, path, kind, source)
    return statement


def file_sha256(path: str) -> str:
    """Returns the sha256 of a file in hexadecimal; raises `Refused` if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    except OSError as error:
        raise Refused(f"{path}: cannot be read: {error.strerror}.") from None
    return digest.hexdigest()


def subject_of(statement: dict[str, Any], path: str, source: str) -> str:
    """Returns a file's name in a statement; raises `Refused` if it is none of the subjects."""
    digest = file_sha256(path)
    for subject in statement["subject"]:
        if subject["digest"]["sha256"] == digest:
            return subject["name"]
    names = ", ".join(printable(subject["name"]) for subject in statement["subject"][:4])
    raise Refused(
        f"{path}: its sha256 is {digest}, but {source} is about other bytes ({names}); it is"
        " another file, or was changed."
    )


def read_public_key(path: str) -> tuple[bytes, str]:
    """Reads an Ed25519 or ECDSA public key.

    Returns:
      The key in DER, and "ed25519" or the digest that belongs to its ECDSA curve.

    Raises:
      Refused: it is not such a key.
    """
    pem = re.fullmatch(
        rb"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*",
        read_document(path),
    )
    if not pem:
        raise Refused(f"{path}: is not a public key in PEM (-----BEGIN PUBLIC KEY-----).")
    der = _base64(b"".join(pem[1].split()).decode("ascii"), path, "PEM")
    if der.startswith(_ED25519_DER) and len(der) == len(_ED25519_DER) + 32:
        return der, "ed25519"
    for identifier, digest in _CURVES.items():
        if identifier in der[:32]:
            return der, digest
    raise Refused(f"{path}: is neither an Ed25519 key nor an ECDSA key on P-256, P-384 or P-521.")


# Each returns whether a signature is valid, or None if its tool is missing or too old.
def _is_valid_by_package(der: bytes, kind: str, signature: bytes, content: bytes) -> bool | None:
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        return None
    scheme = [] if kind == "ed25519" else [ec.ECDSA(getattr(hashes, kind.upper())())]
    try:
        serialization.load_der_public_key(der).verify(signature, content, *scheme)
    except (TypeError, UnsupportedAlgorithm):
        # Before 3.1, it needs a `backend`, too; and its OpenSSL may not support the algorithm.
        return None
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_valid_by_openssl(der: bytes, kind: str, signature: bytes, content: bytes) -> bool | None:
    options = f"dgst -{kind} -verify key -signature signature content"
    if kind == "ed25519":
        options = "pkeyutl -verify -rawin -pubin -inkey key -sigfile signature -in content"
    pem = b"-----BEGIN PUBLIC KEY-----\n%b-----END PUBLIC KEY-----\n" % base64.encodebytes(der)
    with tempfile.TemporaryDirectory() as folder:
        for name, value in (("key", pem), ("signature", signature), ("content", content)):
            with open(os.path.join(folder, name), "wb") as stream:
                stream.write(value)
        try:
            result = subprocess.run(["openssl", *options.split()], cwd=folder, capture_output=True)
        except OSError:
            return None
    # Only a verdict counts: openssl also fails if it does not know an option.
    if result.returncode and not _FAILED.search(result.stdout + result.stderr):
        return None
    return result.returncode == 0


_TOOLS = {"the Python package cryptography": _is_valid_by_package, "openssl": _is_valid_by_openssl}


def check_signature(envelope: Envelope, public_key: str, source: str) -> str:
    """Checks that one of the envelope's signatures is by the key; returns the tool that checked it.

    Raises:
      Refused: no signature is by the key, or no tool can check it.
    """
    der, kind = read_public_key(public_key)
    content = envelope.signed_bytes()
    for tool, is_valid in _TOOLS.items():
        verdicts = [is_valid(der, kind, signature, content) for signature in envelope.signatures]
        if True in verdicts:
            return tool
        if None not in verdicts:
            raise Refused(f"{source}: none of its signatures of these bytes is by {public_key}.")
    raise Refused(
        "the signature cannot be checked on this machine: it needs the Python package cryptography"
        " (3.1 or later) or the command openssl (3.0 or later)."
    )


def summary(statement: dict[str, Any]) -> list[tuple[str, Any]]:
    """Returns the most important facts of a statement, as pairs of a heading and a value."""
    definition = statement["predicate"]["buildDefinition"]
    external, internal = definition["externalParameters"], definition["internalParameters"]
    weights = internal.get("weightsDescription") or external.get("weights", "not stated")
    return [
        ("target", external.get("target", "not stated")),
        ("weights", weights),
        ("TensorFlow", external.get("tensorflowVersion", "not stated")),
        ("build type", definition["buildType"]),
        ("builder", statement["predicate"]["runDetails"]["builder"]["id"]),
    ]


def table(rows: list[tuple[str, Any]]) -> str:
    """Returns the rows as two columns of printable text."""
    width = max(len(heading) for heading, _ in rows)
    return "\n".join(f"{heading:{width}}  {printable(str(text))}" for heading, text in rows)


def _materials(statement: dict[str, Any]) -> str:
    lines = []
    for row in statement["predicate"]["buildDefinition"]["resolvedDependencies"]:
        annotations = row.get("annotations", {})
        replaced = annotations.get("instead_of_pinned_version")
        lines.append(
            f"  {printable(str(annotations.get('kind', 'material'))):16.16}"
            f" {row['digest']['sha256']} {printable(row['name'])}"
            + (f" (instead of the pinned {printable(str(replaced))})" if replaced else "")
        )
    return "\n".join(lines)


def verify(model: str, document: str, public_key: str | None) -> str:
    """Verifies a model and returns its facts as text; checks no signature without a key.

    Raises:
      Refused: the model, the statement or the signature is not valid.
    """
    content = read_document(document)
    parsed = parse_json(content, document)
    if "payload" in parsed or "signatures" in parsed:
        envelope = parse_envelope(parsed, document)
        signed = "NOT CHECKED: give --public_key=KEY.pem"
        if public_key is not None:
            tool = check_signature(envelope, public_key, document)
            # The path comes last, because a long text is cut.
            signed = f"checked with {tool}, by the key of {public_key}"
        content = envelope.payload
    elif public_key is not None:
        raise Refused(f"{document}: is a statement without a signature; give the signed envelope.")
    else:
        signed = "NONE: the statement is not signed, so anybody may have written it"
    statement = parse_statement(content, document)
    name = subject_of(statement, model, document)
    rows = [("file", model), ("is", name), ("signature", signed), *summary(statement)]
    return f"{table(rows)}\nmade from\n{_materials(statement)}"


def show(text: str) -> None:
    """Prints a text in stdout's encoding; ends the process with a sentence if it cannot."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        # At exit, the interpreter would try to write the rest again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # A reader of a pipe, such as `head`, may end early.
        if not isinstance(error, BrokenPipeError):
            sys.exit(f"ERROR: the output cannot be written: {error.strerror}.")


class _Parser(argparse.ArgumentParser):
    """A parser whose help is shown like every other text."""

    def print_help(self, file: Any = None) -> None:
        show(self.format_help().rstrip("\n"))


def _path(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("is empty; is a variable in the command not set?")
    return text


def main(arguments: list[str]) -> int:
    """Runs the program and returns its exit code."""
    parser = _Parser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=_path, help="the .tflite")
    parser.add_argument("document", type=_path, help="NAME.provenance.json, or its envelope")
    parser.add_argument("--public_key", type=_path, help="PEM file of the signer's public key")
    options = parser.parse_args(arguments)
    try:
        show(verify(options.model, options.document, options.public_key))
    except Refused as error:
        print(f"REFUSED: {error}", file=sys.stderr)
        return 1
    return 0


def _end(*_: object) -> None:
    """Ends the process on Ctrl-C."""
    print("Interrupted.", file=sys.stderr, flush=True)
    os._exit(130)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _end)
    sys.exit(main(sys.argv[1:]))
