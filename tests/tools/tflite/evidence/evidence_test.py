"""Tests the evidence of a model on weights that a label names, and of files of others."""

import hashlib
import json
import pathlib

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.attestation import validation
from reproducible_tflite.lib.identity import identity
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file import reader

_FOLDER = pathlib.Path("tests/tools/tflite/evidence")
_TAKEN = "released weights of example.org's tiny net 1.2; not converted here; preprocessing "
_TAKEN += "minus_one_to_one"
_SOURCE = "tests/fuzz/corpus/tflite/minus_zero"


def _read(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


def _json(name: str) -> dict:
    return json.loads(_read(name))


def _materials(name: str) -> dict[tuple[str, str], dict]:
    definition = _json(f"{name}.provenance.json")["predicate"]["buildDefinition"]
    return {
        (row["annotations"]["kind"], row["name"]): row for row in definition["resolvedDependencies"]
    }


class EvidenceTest(parameterized.TestCase):
    def test_the_same_checkpoint_by_label_gives_the_same_graph(self):
        self.assertEqual(_read("own_graph.pb"), _read("seeded_graph.pb"))

    def test_own_weights_are_called_so(self):
        model = reader.read(_read("converted.tflite"), "converted")
        self.assertStartsWith(model.description, "weights of model.ckpt; converted by TOCO of ")
        build = _json("converted.report.json")["build"]
        self.assertEqual(
            (build["weights"], build["weights_description"]), ("own", "weights of model.ckpt")
        )
        row = _materials("converted")["checkpoint", "model.ckpt.index"]
        self.assertEqual(row["annotations"]["weights"], "own")

    @parameterized.parameters(
        ("converted", "own", "minus_one_to_one", "2.15.1", "hermetic"),
        ("taken", "released", "minus_one_to_one", "", ""),
        ("source", "own", "", "", ""),
    )
    def test_the_identity(self, name, *fields):
        written = identity.read(str(_FOLDER / f"{name}.identity.json"))
        self.assertEqual(written, Identity(name, *fields))

    def test_a_file_of_others_keeps_its_meaning_and_says_what_it_is(self):
        taken = _read("taken.tflite")
        result = comparison.compare(_read("converted.tflite"), taken, "converted", "taken")
        self.assertLess(comparison.VERDICTS.index(result.verdict), 3)
        self.assertStartsWith(reader.read(taken, "taken").description, _TAKEN)

    @parameterized.parameters("converted", "taken", "source")
    def test_the_statement_is_valid_and_about_the_file(self, name):
        statement = _json(f"{name}.provenance.json")
        validation.validate_statement(statement)
        digests = {row["name"]: row["digest"]["sha256"] for row in statement["subject"]}
        digest = hashlib.sha256(_read(f"{name}.tflite")).hexdigest()
        self.assertEqual(digests[f"{name}.tflite"], digest)
        self.assertEqual(len(digests), 2 if name == "converted" else 1)

    def test_a_source_is_named_with_its_digest(self):
        row = _materials("source")["source file", _SOURCE]
        digest = hashlib.sha256(pathlib.Path(_SOURCE).read_bytes()).hexdigest()
        self.assertEqual(row["digest"]["sha256"], digest)
        definition = _json("source.provenance.json")["predicate"]["buildDefinition"]
        (step,) = definition["externalParameters"]["recipe"].values()
        self.assertEqual(step["rule"], "tflite_file")
        self.assertEqual(step["attributes"], {"src": "//tests/fuzz:corpus/tflite/minus_zero"})

    def test_what_made_a_generated_file_is_named(self):
        names = [name for kind, name in _materials("taken") if kind == "source file"]
        self.assertIn("tests/tools/steps/architectures/tiny_net.py", names)

    def test_the_card_of_a_file_does_not_promise_a_conversion(self):
        page = _read("taken.card.html").decode()
        self.assertIn("not converted here", page)
        self.assertIn("released weights", page)
        self.assertNotIn("reproducibility_test", page)


if __name__ == "__main__":
    absltest.main()
