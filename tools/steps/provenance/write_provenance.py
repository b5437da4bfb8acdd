"""Writes a model's provenance: an in-toto statement and a CycloneDX ML-BOM.

Usage: write_provenance --request=REQUEST.json --statement=X.provenance.json --mlbom=X.mlbom.json
"""

import hashlib
import json
import os
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.lock import stability
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.steps.provenance import materials, mlbom, statement

_REQUEST = flags.DEFINE_string(
    "request", None, "The request of tools/tflite/private/provenance.bzl.", required=True
)
_STATEMENT = flags.DEFINE_string("statement", None, "The statement to write.", required=True)
_MLBOM = flags.DEFINE_string("mlbom", None, "The bill of materials to write.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    request = json.loads(cli.read_file(_REQUEST.value, "request"))
    content = cli.read_file(request["model"], ".tflite")
    name = os.path.basename(request["model"])
    digest = hashlib.sha256(content).hexdigest()
    subjects = {name: digest}
    # A file that was not converted here is a source.
    if request["converter"] and stability.raw_is_stable(request["tensorflow_version"]):
        subjects[os.path.basename(request["raw"])] = materials.sha256(request["raw"])

    resolved = materials.collect(request)
    model = reader.read(content, request["model"])
    bom = statement.text(mlbom.build(request, name, digest, model, resolved))
    byproducts = {
        # With its digest here, a signature of the statement covers the bill of materials too.
        os.path.basename(_MLBOM.value): hashlib.sha256(bom.encode("ascii")).hexdigest(),
        **{what: materials.sha256(path) for what, path in request["byproducts"].items()},
    }
    with cli.output_file(_MLBOM.value, "w") as stream:
        stream.write(bom)
    with cli.output_file(_STATEMENT.value, "w") as stream:
        stream.write(statement.text(statement.build(request, subjects, resolved, byproducts)))


if __name__ == "__main__":
    cli.run(main)
