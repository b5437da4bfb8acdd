"""Signs statements, without a network.

    bazel run //tools/provenance:sign -- --key=KEY.pem NAME.provenance.json ...

It writes an envelope, `NAME.provenance.dsse.json`, for each. tools/provenance/README.md shows how
to make a key.
"""

import os
from collections.abc import Sequence

from absl import flags

from tools.lib.cli import cli
from tools.provenance import signing

_KEY = flags.DEFINE_string("key", None, "PEM file of the private key.", required=True)
_OUTPUT_FOLDER = flags.DEFINE_string("output_folder", ".", "Folder for the envelopes.")


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
    folder = cli.callers_path(_OUTPUT_FOLDER.value)
    for name, envelope in envelopes.items():
        with cli.output_file(os.path.join(folder, name), "w") as stream:
            stream.write(envelope)
        print(os.path.normpath(os.path.join(_OUTPUT_FOLDER.value, name)))


if __name__ == "__main__":
    cli.run(main, positional=None)
