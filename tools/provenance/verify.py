"""Verifies a model by its signed provenance, summary or signature, without a network.

    bazel run //tools/provenance:verify -- --public_key=KEY.pem MODEL.tflite SIGNED

SIGNED is `x.provenance.dsse.json`, an audit's `x.vsa.dsse.json` or model-signing's `x.tflite.sig`.
It checks the signature, the statement's form and the model's sha256. If one is wrong, it prints a
sentence and exits with 1. Without Bazel, use verify_tflite.py, which is a single file.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from reproducible_tflite.lib.attestation import signing, summary, verify_tflite
from reproducible_tflite.lib.cli import cli

_PUBLIC_KEY = flags.DEFINE_string("public_key", None, "PEM file of the public key.")
_ROOTS = flags.DEFINE_list(
    "certificate_chain",
    [],
    "Instead of the key: PEM files of trusted certificates, for a signature with a certificate.",
)


def _is_bundle(document: Mapping[str, Any]) -> bool:
    """Returns whether a document is a Sigstore bundle, the form of model-signing's signatures."""
    kind = document.get("mediaType")
    return isinstance(kind, str) and kind.startswith("application/vnd.dev.sigstore.bundle")


def _verify_statement(model: str, source: str, content: bytes) -> None:
    """Verifies a model by an envelope and shows what that says."""
    if not _PUBLIC_KEY.value:
        raise cli.UserError(f"{source}: was signed by a key; give --public_key=KEY.pub.pem.")
    statement = signing.verified_statement(content, source, cli.callers_path(_PUBLIC_KEY.value))
    name = verify_tflite.subject_of(statement, cli.callers_path(model), source)
    if statement["predicateType"] == summary.PREDICATE_TYPE:
        if statement["predicate"]["verificationResult"] != "PASSED":
            raise cli.UserError(f"{source}: says that {name} did not pass.")
        facts = summary.facts(statement)
    else:
        facts = verify_tflite.summary(statement)
    table = verify_tflite.table([("model", name), *facts])
    verify_tflite.show(f"Verified: signature, statement, and the model's sha256.\n{table}")


def main(argv: Sequence[str]) -> None:
    """Verifies the model argv[1] by the signed file argv[2]."""
    if len(argv) != 3:
        raise cli.UserError(
            "two files are needed; give MODEL.tflite and its NAME.provenance.dsse.json,"
            " NAME.vsa.dsse.json or MODEL.tflite.sig."
        )
    if _PUBLIC_KEY.value == "":
        raise cli.UserError("--public_key is empty; give the PEM file of a public key.")
    if bool(_PUBLIC_KEY.value) == bool(_ROOTS.value):
        raise cli.UserError("give either --public_key or --certificate_chain.")
    model, source = argv[1:]
    try:
        content = verify_tflite.read_document(cli.callers_path(source))
        if not _is_bundle(verify_tflite.parse_json(content, source)):
            _verify_statement(model, source, content)
            return
    except verify_tflite.Refused as error:
        raise cli.UserError(str(error)) from error
    # Its packages take a second, which statements do not need.
    from reproducible_tflite.lib.attestation import model_signature

    key = cli.callers_path(_PUBLIC_KEY.value) if _PUBLIC_KEY.value else None
    roots = [cli.callers_path(path) for path in _ROOTS.value]
    model_signature.verify(cli.callers_path(model), cli.callers_path(source), key, roots)
    cli.say(f"Verified: {source} is a signature of {model}.")


if __name__ == "__main__":
    cli.run(main, positional=None)
