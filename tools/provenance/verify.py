"""Verifies a model by its signed provenance, without a network.

    bazel run //tools/provenance:verify -- --public_key=KEY.pem MODEL.tflite ENVELOPE

The signature, the statement's form and the model's sha256 have to hold; else exit code 1 and one
sentence. Without Bazel: verify_tflite.py, which needs nothing else.
"""

from collections.abc import Sequence

from absl import flags

from tools.lib.cli import cli
from tools.provenance import signing, verify_tflite

_PUBLIC_KEY = flags.DEFINE_string("public_key", None, "PEM file of the public key.", required=True)


def main(argv: Sequence[str]) -> None:
    if len(argv) != 3:
        raise cli.UserError("give a MODEL.tflite and its signed NAME.provenance.dsse.json.")
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
    verify_tflite.tell(f"Verified: signature, statement, and the model's sha256.\n{table}")


if __name__ == "__main__":
    cli.run(main, positional=None)
