import json
import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from reproducible_tflite.lib.attestation import validation
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.steps.provenance import materials, mlbom, statement
from tests.tools.lib.tflite_file import models
from tests.tools.provenance import requests

(_PROGRAM,) = sys.argv[1:]


def _model(zero_point: list[int] | None = None) -> bytes:
    maker = models.Maker()
    entry = maker.tensor("a", [1, 2], kind=tflite.TensorType.UINT8)
    maker.graph.tensors[entry].quantization = quantization = tflite.QuantizationParametersT()
    quantization.scale = [0.5]
    quantization.zeroPoint = [128] if zero_point is None else zero_point
    result = maker.tensor("b", [1])
    maker.operator(tflite.BuiltinOperator.CUSTOM, [entry], [result], custom="Own")
    maker.graph.inputs, maker.graph.outputs = [entry], [result]
    return models.pack(maker.model)


class StatementTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def test_it_is_valid_for_in_toto_and_slsa(self):
        validation.validate_statement(requests.make_statement(self.folder))

    def test_it_tells_seed_and_recipe(self):
        external = requests.make_statement(self.folder)["predicate"]["buildDefinition"][
            "externalParameters"
        ]
        self.assertEqual(external["weights"], "seeded")
        self.assertEqual(list(external["recipe"]), sorted(external["recipe"]))
        seeding = external["recipe"]["//models/x:checkpoint.seeded"]
        self.assertEqual(seeding["attributes"], {"seed": 7})

    @parameterized.parameters(
        (lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"), "statement type"),
        (lambda s: s.update(subject=[]), "subject required"),
        (lambda s: s["subject"][0].pop("digest"), "digest required"),
        (lambda s: s.update(predicateType=""), "Predicate type"),
        (lambda s: s.pop("predicate"), "predicate"),
        (lambda s: s.update(surprise=1), "surprise"),
        (lambda s: s["subject"][0].update(digest="sha256:0"), "schema"),
        (lambda s: s["predicate"]["buildDefinition"].pop("buildType"), "build_type is required"),
        (
            lambda s: s["predicate"]["buildDefinition"].pop("externalParameters"),
            "external_parameters is required",
        ),
        (lambda s: s["predicate"]["runDetails"]["builder"].pop("id"), "builder.id is required"),
        (lambda s: s["predicate"].update(materials=[]), "materials"),
        (
            lambda s: s["predicate"]["buildDefinition"]["resolvedDependencies"][3].pop("digest"),
            "has no sha256",
        ),
    )
    def test_another_is_refused(self, change, reason):
        statement_ = requests.make_statement(self.folder)
        change(statement_)
        with self.assertRaisesRegex(ValueError, reason):
            validation.validate_statement(statement_)

    def test_a_bazel_without_a_digest_is_said_to_have_none(self):
        request = requests.make(self.folder)

        def stated():
            collected = materials.collect(request)
            version = statement.build(request, {}, collected, {})["predicate"]["runDetails"][
                "builder"
            ]
            return {row["annotations"]["kind"] for row in collected}, version["version"]

        kinds, version = stated()
        self.assertIn("bazel", kinds)
        self.assertEqual(version, {"bazel": "7.7.1"})
        request["bazel"] = {"version": "", "sha256": ""}
        kinds, version = stated()
        self.assertNotIn("bazel", kinds)
        self.assertEqual(version["bazel"], "not stated")
        self.assertStartsWith(version["bazel_digest"], "not stated: ")


class MlbomTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Reading the schema takes a second.
        cls.validator = JsonStrictValidator(SchemaVersion.V1_7)

    def setUp(self):
        super().setUp()
        self.request = requests.make(self.create_tempdir().full_path)

    def _bom(self, model=None):
        collected = materials.collect(self.request)
        model = reader.read(model or _model(), "x.tflite")
        return mlbom.build(self.request, "x.tflite", "0" * 64, model, collected)

    def test_it_is_valid_for_cyclonedx(self):
        self.assertIsNone(self.validator.validate_str(statement.text(self._bom())))

    @parameterized.parameters(
        lambda bom: bom.update(bomFormat="SPDX"),
        lambda bom: bom.update(timestamp="now"),
        lambda bom: bom.update(serialNumber="7"),
        lambda bom: bom["components"][0].pop("name"),
        lambda bom: bom["components"][0].update(type="wheel"),
        lambda bom: bom["components"][0]["hashes"][0].update(content="zz"),
        lambda bom: bom["metadata"]["component"]["modelCard"].update(weights="seeded"),
    )
    def test_another_is_refused(self, change):
        bom = self._bom()
        change(bom)
        self.assertIsNotNone(self.validator.validate_str(json.dumps(bom)))

    def test_the_model_card_tells_of_ends_weights_and_quantization(self):
        model = self._bom()["metadata"]["component"]
        self.assertEqual(model["type"], "machine-learning-model")
        parameters = model["modelCard"]["modelParameters"]
        self.assertEqual(
            parameters["inputs"], [{"format": "a: uint8 [1,2], real = 0.5 * (stored - 128)"}]
        )
        self.assertEqual(parameters["outputs"], [{"format": "b: float32 [1]"}])
        self.assertEqual(parameters["architectureFamily"], "x")
        properties = {row["name"]: row["value"] for row in model["modelCard"]["properties"]}
        self.assertEqual(properties["reproducible-tflite:operators"], "Own 1")
        self.assertEqual(properties["reproducible-tflite:weights-are-synthetic"], "true")
        self.assertEqual(
            properties["reproducible-tflite:quantization"],
            "integers; ranges from quantization-aware training",
        )
        (limitation,) = model["modelCard"]["considerations"]["technicalLimitations"]
        self.assertIn("synthetic", limitation)

    def test_a_scale_without_a_zero_point_is_around_zero(self):
        parameters = self._bom(_model(zero_point=[]))["metadata"]["component"]["modelCard"]
        self.assertEqual(
            parameters["modelParameters"]["inputs"],
            [{"format": "a: uint8 [1,2], real = 0.5 * (stored - 0)"}],
        )

    def test_components_have_versions_licences_and_digests(self):
        components = {row["name"]: row for row in self._bom()["components"]}
        tensorflow = components["tensorflow-cpu"]
        self.assertEqual(tensorflow["version"], "2.15.1")
        self.assertEqual(tensorflow["licenses"], [{"license": {"id": "Apache-2.0"}}])
        self.assertEqual(tensorflow["hashes"], [{"alg": "SHA-256", "content": "b" * 64}])
        self.assertEqual(components["libc6"]["version"], "1:2.36-9+deb12u14")

    def test_a_model_has_the_licences_of_its_code_and_of_published_weights(self):
        def licences():
            return [
                row["license"]["id"] for row in self._bom()["metadata"]["component"]["licenses"]
            ]

        self.assertEqual(licences(), ["Apache-2.0"])
        lock = pathlib.Path(
            self.request["lock_files"]["third_party/checkpoints/released.lock.json"]
        )
        lock.write_text(lock.read_text().replace("Apache-2.0", "MIT"))
        self.request["repositories"].append("reproducible_tflite_released_some_model")
        self.assertEqual(licences(), ["Apache-2.0", "MIT"])

    def test_the_licence_of_other_weights_is_not_claimed(self):
        self.request["weights"] = "own"
        bom = self._bom()
        self.assertNotIn("licenses", bom["metadata"]["component"])
        self.assertIsNone(self.validator.validate_str(json.dumps(bom)))

    def test_of_a_file_that_was_not_converted_here_no_conversion_is_told(self):
        self.request.update(
            converter="", integer=False, steps=[], target="//:x", tensorflow_version=""
        )
        bom = self._bom()
        self.assertIsNone(self.validator.validate_str(json.dumps(bom)))
        card = bom["metadata"]["component"]["modelCard"]
        self.assertEqual(card["modelParameters"]["architectureFamily"], "x.tflite")
        properties = {row["name"]: row["value"] for row in card["properties"]}
        for name in ("converter", "quantization", "tensorflow"):
            self.assertIn("not converted here", properties[f"reproducible-tflite:{name}"])

    @parameterized.parameters(
        (True, False, {}, "ranges measured after training"),
        (False, False, {"optimizations": ["DEFAULT"]}, "dynamic range"),
        (
            False,
            False,
            {"optimizations": ["DEFAULT"], "supported_types": ["float16"]},
            "weights as float16",
        ),
        (False, False, {}, "none"),
    )
    def test_quantization_in_words(self, integer, aware, recipe, words):
        self.request.update(integer=integer, quantization_aware=aware)
        self.request["steps"][0]["attributes"] = recipe
        self.assertIn(words, mlbom.quantization(self.request))

    def test_the_architecture_is_the_pipeline_config_that_an_override_starts_from(self):
        self.request["steps"] += [
            {
                "label": "//models/x:qat",
                "rule": "pipeline_config",
                "attributes": {"base": "@some_models//:site/configs/ssd.config"},
            },
            {
                "label": "//models/x:graph",
                "rule": "ssd_frozen_graph",
                "attributes": {"pipeline_config": "//models/x:qat"},
            },
        ]
        self.assertEqual(mlbom.architecture(self.request), "ssd")


class ProgramTest(absltest.TestCase):
    def _written(self, tensorflow_version="2.15.1", converter="toco"):
        folder = self.create_tempdir().full_path
        request = requests.make(folder)
        request |= {"converter": converter, "tensorflow_version": tensorflow_version}
        pathlib.Path(request["model"]).write_bytes(_model())
        # Names in a statement are relative to the execution root.
        request["sources"] = []
        paths = {name: f"{folder}/{name}" for name in ("request", "statement", "mlbom")}
        pathlib.Path(paths["request"]).write_text(json.dumps(request))
        flags = [f"--{name}={path}" for name, path in paths.items()]
        subprocess.run([_PROGRAM, *flags], check=True)
        return {name: pathlib.Path(path).read_bytes() for name, path in paths.items()}

    def test_the_same_bytes_from_another_folder(self):
        first, second = self._written(), self._written()
        self.assertNotEqual(first["request"], second["request"])
        self.assertEqual(first["statement"], second["statement"])
        self.assertEqual(first["mlbom"], second["mlbom"])

    def test_the_statement_speaks_of_both_files_and_the_bill_of_materials(self):
        written = self._written()
        document = json.loads(written["statement"])
        validation.validate_statement(document)
        subjects = {row["name"]: row["digest"]["sha256"] for row in document["subject"]}
        self.assertEqual(
            subjects,
            {"x.tflite": requests.sha256(_model()), "x.raw.tflite": requests.sha256(b"raw")},
        )
        of_tensorflow_1 = json.loads(self._written("1.15.5")["statement"])
        self.assertEqual([row["name"] for row in of_tensorflow_1["subject"]], ["x.tflite"])
        foreign = json.loads(self._written("", converter="")["statement"])
        self.assertEqual([row["name"] for row in foreign["subject"]], ["x.tflite"])
        byproducts = {
            row["name"]: row["digest"]["sha256"]
            for row in document["predicate"]["runDetails"]["byproducts"]
        }
        self.assertEqual(byproducts["mlbom"], requests.sha256(written["mlbom"]))
        self.assertEqual(byproducts["frozen graph"], requests.sha256(b"graph"))


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
