"""Signs statements, without a network.

    bazel run //tools/provenance:sign -- --key=KEY.pem NAME.provenance.json ...

It writes an envelope for each, `NAME.provenance.dsse.json` in the current folder.
tools/provenance/README.md shows how to make a key.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import os
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.attestation import signing
from reproducible_tflite.lib.cli import cli

_KEY = flags.DEFINE_string("key", None, "PEM file of the private key.", required=True)


def main(argv: Sequence[str]) -> None:
    """Signs all statements, or none if one is not valid."""
    if len(argv) < 2:
        raise cli.UserError("no statement is given; give at least one NAME.provenance.json.")
    if not _KEY.value:
        raise cli.UserError("--key is empty; give the PEM file of a private key.")
    signer = signing.read_signer(cli.callers_path(_KEY.value))
    envelopes = {}
    for path in argv[1:]:
        content = cli.read_file(cli.callers_path(path), "statement")
        name = os.path.basename(path).removesuffix(".json") + ".dsse.json"
        if name in envelopes:
            raise cli.UserError(f"{path}: {name} would be written twice.")
        envelopes[name] = signing.sign(content, path, signer)
    for name, envelope in envelopes.items():
        with cli.output_file(cli.callers_path(name), "w") as stream:
            stream.write(envelope)
        cli.say(name)


if __name__ == "__main__":
    cli.run(main, positional=None)
