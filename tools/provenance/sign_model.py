"""Signs models for OpenSSF's model-signing, without a network.

    bazel run //tools/provenance:sign_model -- --key=KEY.pem //models:x FILE.tflite ...

It writes `x.tflite.sig` for each, in the current folder; a label is built first. With
--certificate, the signature has the certificate in it. tools/provenance/README.md says how to
verify it.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import os
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.attestation import model_signature
from reproducible_tflite.lib.bazel import building, labels
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import files

_KEY = flags.DEFINE_string("key", None, "PEM file of the private key, ECDSA.", required=True)
_CERTIFICATE = flags.DEFINE_string("certificate", None, "PEM file of the key's certificate.")
_CHAIN = flags.DEFINE_list(
    "certificate_chain", [], "PEM files of the certificates between that one and a root."
)


def _models(argument: str) -> list[str]:
    """Returns the paths of the files that an argument, a label or a path, stands for."""
    if not labels.is_label(argument):
        return [cli.callers_path(argument)]
    built = building.build_all([argument], BAZEL_FLAG.value)
    paths = [path for target in built for path in target.files.get("default", ())]
    models = [path for path in paths if path.endswith(".tflite")]
    if not models:
        raise cli.UserError(f"{argument}: makes no .tflite; give the label of a model.")
    return models


def main(argv: Sequence[str]) -> None:
    """Signs all models, or none if one cannot be signed."""
    if len(argv) < 2:
        raise cli.UserError("no model is given; give a label or a .tflite.")
    if not _KEY.value:
        raise cli.UserError("--key is empty; give the PEM file of a private key.")
    if _CHAIN.value and not _CERTIFICATE.value:
        raise cli.UserError("--certificate_chain belongs to --certificate; give both.")
    certificate = cli.callers_path(_CERTIFICATE.value) if _CERTIFICATE.value else None
    chain = [cli.callers_path(path) for path in _CHAIN.value]
    config = model_signature.signer(cli.callers_path(_KEY.value), certificate, chain)
    signatures = {}
    for path in (path for argument in argv[1:] for path in _models(argument)):
        name = os.path.basename(path) + model_signature.ENDING
        if name in signatures:
            raise cli.UserError(f"{path}: {name} would be written twice.")
        files.read(path, ".tflite", as_map=True)
        signatures[name] = model_signature.sign(path, config)
    for name, signature in signatures.items():
        with cli.output_file(cli.callers_path(name)) as stream:
            stream.write(signature)
        cli.say(name)


if __name__ == "__main__":
    cli.run(main, positional=None)
