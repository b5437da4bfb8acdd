"""Verifies a model by its signed provenance, without a network.

    bazel run //tools/provenance:verify -- --public_key=KEY.pem MODEL.tflite ENVELOPE

It checks the signature, the statement's form and the model's sha256. If one is wrong, it prints a
sentence and exits with 1. Without Bazel, use verify_tflite.py, which is a single file.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.provenance import signing, verify_tflite

_PUBLIC_KEY = flags.DEFINE_string("public_key", None, "PEM file of the public key.", required=True)


def main(argv: Sequence[str]) -> None:
    """Verifies the model argv[1] by the envelope argv[2]."""
    if len(argv) != 3:
        raise cli.UserError(
            "two files are needed; give MODEL.tflite and its signed NAME.provenance.dsse.json."
        )
    if not _PUBLIC_KEY.value:
        raise cli.UserError("--public_key is empty; give the PEM file of a public key.")
    model, source = argv[1:]
    try:
        content = verify_tflite.read_document(cli.callers_path(source))
        statement = signing.verified_statement(content, source, cli.callers_path(_PUBLIC_KEY.value))
        name = verify_tflite.subject_of(statement, cli.callers_path(model), source)
    except verify_tflite.Refused as error:
        raise cli.UserError(str(error)) from error
    table = verify_tflite.table([("model", name), *verify_tflite.summary(statement)])
    verify_tflite.show(f"Verified: signature, statement, and the model's sha256.\n{table}")


if __name__ == "__main__":
    cli.run(main, positional=None)
