"""Checks the statements of real models against the schemas and the files themselves."""

import hashlib
import json
import pathlib
import re
import sys

from absl.testing import absltest, parameterized
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from reproducible_tflite.lib.attestation import validation, verify_tflite
from reproducible_tflite.lib.identity import identity, statement

_FILES = {pathlib.Path(path).name: pathlib.Path(path) for path in sys.argv[1:]}
_MODELS = sorted(name.removesuffix(".tflite") for name in _FILES if name.endswith(".tflite"))
# Its weights are the released ones in every build.
_RELEASED = "basic_pitch"


def _sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class ModelsTest(parameterized.TestCase):
    @parameterized.parameters(*_MODELS)
    def test_the_statement_is_valid_and_of_this_model(self, model):
        content = _FILES[f"{model}.provenance.json"].read_bytes()
        document = verify_tflite.parse_statement(content, model)
        validation.validate_statement(document)
        path = _FILES[f"{model}.tflite"]
        self.assertEqual(verify_tflite.subject_of(document, str(path), model), path.name)
        byproducts = {
            row["name"]: row["digest"]["sha256"]
            for row in document["predicate"]["runDetails"]["byproducts"]
        }
        bom = f"{model}.mlbom.json"
        self.assertEqual(byproducts[bom], _sha256(_FILES[bom]))

    @parameterized.parameters(*_MODELS)
    def test_the_statement_agrees_with_the_targets_identity(self, model):
        path = _FILES[f"{model}.tflite"]
        written = identity.read(str(_FILES[f"{model}.identity.json"]))
        weights = identity.RELEASED if model == _RELEASED else identity.SEEDED
        self.assertEqual((written.name, written.weights), (model, weights))
        self.assertEqual(statement.stated_identity(str(path), path.read_bytes()), written)

    @parameterized.parameters(*_MODELS)
    def test_the_bill_of_materials_is_valid_and_of_this_model(self, model):
        content = _FILES[f"{model}.mlbom.json"].read_text()
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_7).validate_str(content))
        component = json.loads(content)["metadata"]["component"]
        self.assertEqual(component["hashes"][0]["content"], _sha256(_FILES[f"{model}.tflite"]))

    @parameterized.parameters(*_MODELS)
    def test_names_what_decides_the_bytes(self, model):
        document = json.loads(_FILES[f"{model}.provenance.json"].read_bytes())
        definition = document["predicate"]["buildDefinition"]
        names = [row["name"] for row in definition["resolvedDependencies"]]
        released = model == _RELEASED
        if released:
            weights = ("basic_pitch-0.4.0-.*whl", "tools/steps/freeze/freeze_saved_model.py")
        else:
            weights = ("model.ckpt.data-00000-of-00001", "tools/lib/values/weights.py")
        for pattern in (
            "tensorflow_cpu-2.15.1-.*whl",
            "python3.11-minimal_.*deb",
            "libc6_.*deb",
            *weights,
            "tools/tflite/private/tflite_model.bzl",
            "WORKSPACE",
        ):
            self.assertTrue([name for name in names if re.fullmatch(pattern, name)], pattern)
        self.assertEqual(definition["internalParameters"]["weightsAreSynthetic"], not released)
        rules = {step["rule"] for step in definition["externalParameters"]["recipe"].values()}
        self.assertIn("recipe", rules)
        makers = {"saved_model"} if released else {"seeded_checkpoint", "seeded_ssd_checkpoint"}
        self.assertTrue(rules & makers, rules)

    @parameterized.parameters(*_FILES)
    def test_contains_nothing_of_the_machine(self, name):
        if name.endswith(".json"):
            lines = _FILES[name].read_text().splitlines()
            machine = r"bazel-out|execroot|sandbox|/tmp/|202\d-\d\d-\d\dT"
            self.assertEqual([line for line in lines if re.search(machine, line)], [])


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
