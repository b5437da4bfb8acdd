import json
import os
import pathlib
from unittest import mock

from absl import flags
from absl.testing import absltest, flagsaver, parameterized
from cryptography.hazmat.primitives.asymmetric import ed25519

from reproducible_tflite.audit import origin, report, summaries
from reproducible_tflite.lib.attestation import signing, summary, validation, verify_tflite
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.provenance import statement
from tests.tools.provenance import requests

_MODEL = b"a model" * 1000
_DIGEST = requests.sha256(_MODEL)
_ORIGIN = origin.Origin(
    commit="c" * 40,
    changes="no",
    bazel="7.7.1",
    bazel_server="5" * 64,
    kernel="6.1.0-x",
    processor="Some CPU",
    date="2026-03-01T12:00:00Z",
    options=(),
)
_LEVELS = ["SLSA_BUILD_LEVEL_UNEVALUATED", "REPRODUCIBLE_TFLITE_REBUILT_EQUAL"]


def _target(name="x", verdict="equal", digest=_DIGEST, ending=".tflite"):
    outputs = {f"bin/{name}{ending}": digest, f"bin/{name}.provenance.json": "e" * 64}
    return report.Target(f"//models:{name}", 1.0, 5, outputs, verdict)


def _report(*targets, findings=()):
    return report.Report(targets, (), findings, _ORIGIN)


class SummariesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.enter_context(mock.patch.dict(os.environ, BUILD_WORKING_DIRECTORY=self.folder))
        self.enter_context(flagsaver.flagsaver(summaries=self.folder))
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        self.private, self.public = self._keys("own")
        self.others_private, self.others_public = self._keys("other")
        self.document = requests.make_statement(self.create_tempdir().full_path, _MODEL)
        self.own = {"//models:x": statement.text(self.document).encode()}
        self.provenance = self._sign(statement.text(self.document))

    def _keys(self, name):
        return requests.write_keys(self.folder, name, ed25519.Ed25519PrivateKey.generate())

    def _sign(self, text):
        path = pathlib.Path(self.folder, "x.provenance.dsse.json")
        path.write_text(signing.sign(text.encode(), "x", signing.read_signer(self.others_private)))
        return path.name

    def _plan(self, **values):
        with flagsaver.flagsaver(**values):
            return summaries.plan()

    def _reproduced(self):
        return self._plan(
            provenance=[self.provenance], public_key=self.others_public, key=self.private
        )

    def test_what_was_rebuilt_and_is_equal_gets_a_valid_summary(self):
        self.assertTrue(summaries.write(_report(_target()), {}, self._plan()))
        document = json.loads(pathlib.Path(self.folder, "x.vsa.json").read_bytes())
        validation.validate_summary(document)
        self.assertEqual(document["predicateType"], "https://slsa.dev/verification_summary/v1")
        self.assertEqual(document["subject"], [{"name": "x.tflite", "digest": {"sha256": _DIGEST}}])
        predicate = document["predicate"]
        self.assertEqual(predicate["verifiedLevels"], _LEVELS)
        self.assertEqual(predicate["verificationResult"], "PASSED")
        self.assertEqual(predicate["resourceUri"], "urn:reproducible-tflite:target://models:x")
        self.assertEqual(predicate["slsaVersion"], "1.2")

    def test_it_is_reproduced_if_another_builders_provenance_names_the_same_bytes(self):
        made, reasons = summaries.make(_report(_target()), self.own, self._reproduced().others)
        self.assertEqual(reasons, [])
        validation.validate_summary(made["x"])
        self.assertEqual(
            made["x"]["predicate"]["verifiedLevels"], [*_LEVELS, "SLSA_BUILD_REPRODUCED"]
        )
        names = [row["uri"] for row in made["x"]["predicate"]["inputAttestations"]]
        self.assertEqual(names, ["x.provenance.json", "x.provenance.dsse.json"])

    @parameterized.parameters(
        (_target(verdict="diverged"), "it diverged"),
        (_target(verdict="leaked"), "it leaked"),
        (_target(ending=".txt"), "it is no model"),
        (_target(digest="0" * 64), "has other bytes for x.tflite"),
    )
    def test_no_other_target_gets_one(self, target, reason):
        made, reasons = summaries.make(
            _report(target, _target("y")), self.own, self._reproduced().others
        )
        self.assertEqual(list(made), ["y"])
        self.assertIn(reason, " ".join(reasons))
        self.assertFalse(summaries.write(_report(target), self.own, self._reproduced()))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "x.vsa.json")))

    def test_another_builders_statement_is_of_the_same_build(self):
        definition = self.document["predicate"]["buildDefinition"]
        parameters, materials = definition["externalParameters"], definition["resolvedDependencies"]

        def material(kind, digest="0" * 64):
            found = next(row for row in materials if row["annotations"]["kind"] == kind)
            found["digest"]["sha256"] = digest

        for change, differing in (
            # A Bazel of their own makes the builders more independent.
            (lambda: material("bazel"), None),
            (lambda: material("source file"), "third_party/some/adapt.py"),
            (lambda: parameters["recipe"].pop("//models/x:x.recipe"), "recipe of //models/x:x.re"),
            (lambda: parameters.update(target="//mine:x"), "target"),
        ):
            change()
            self._sign(statement.text(self.document))
            made, reasons = summaries.make(_report(_target()), self.own, self._reproduced().others)
            self.assertEqual(bool(made), differing is None)
            if differing:
                (reason,) = reasons
                self.assertRegex(reason, f"^//models:x: .*is about another build: its {differing}")
        made, reasons = summaries.make(_report(_target()), {}, self._reproduced().others)
        self.assertEmpty(made)
        self.assertIn("it has no provenance of its own", " ".join(reasons))

    def test_an_unfinished_round_gives_none(self):
        made, reasons = summaries.make(_report(_target(), findings=({"kind": "failure"},)), {}, ())
        self.assertEqual((made, reasons), ({}, ["no summary: a round was not finished."]))

    def test_a_signed_one_verifies_and_a_changed_one_does_not(self):
        summaries.write(_report(_target()), {}, self._plan(key=self.private))
        content = pathlib.Path(self.folder, "x.vsa.dsse.json").read_bytes()
        document = signing.verified_statement(content, "x", self.public)
        self.assertEqual(document["predicateType"], summary.PREDICATE_TYPE)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "x.vsa.json")))
        envelope = json.loads(content)
        payload = verify_tflite.parse_envelope(envelope, "x").payload
        envelope["payload"] = envelope["payload"][:-8] + "AAAAAAA="
        self.assertNotEqual(payload, envelope["payload"])
        with self.assertRaisesRegex(cli.UserError, "has not signed this"):
            signing.verified_statement(json.dumps(envelope).encode(), "x", self.public)

    def test_flags_that_do_not_go_together_are_refused_before_the_audit(self):
        self.assertIsNone(self._plan(summaries=None))
        pathlib.Path(self.folder, "bare.json").write_bytes(self.own["//models:x"])
        both = {
            "provenance": [self.provenance],
            "public_key": self.others_public,
            "key": self.private,
        }
        for values, reason in (
            ({"summaries": None, "key": self.private}, "give --summaries=FOLDER"),
            ({"summaries": "missing"}, "cannot be written"),
            ({"provenance": [self.provenance]}, "belong together"),
            ({"public_key": self.public}, "belong together"),
            (both | {"key": None}, "give your own --key, too"),
            (both | {"public_key": self._keys("third")[1]}, "has not signed this"),
            (both | {"provenance": ["own.pem"]}, "is not complete JSON"),
            (both | {"provenance": ["bare.json"]}, "is not signed"),
            (both | {"public_key": self.public}, "is your own key"),
        ):
            with self.subTest(reason), self.assertRaisesRegex(cli.UserError, reason):
                self._plan(**values)

    @parameterized.parameters(
        lambda document: document["predicate"].update(verifiedLevels=[]),
        lambda document: document["predicate"].update(verifiedLevels="SLSA_BUILD_REPRODUCED"),
        lambda document: document["predicate"].update(verificationResult="MAYBE"),
        lambda document: document["predicate"].update(verifiedBy="me"),
        lambda document: document["predicate"].pop("policy"),
        lambda document: document["predicate"].pop("resourceUri"),
        lambda document: document["predicate"]["inputAttestations"][0].pop("digest"),
        lambda document: document.update(subject=[]),
    )
    def test_another_document_is_no_summary(self, change):
        made, _ = summaries.make(_report(_target()), {}, ())
        change(made["x"])
        with self.assertRaises(ValueError):
            validation.validate_summary(made["x"])


if __name__ == "__main__":
    absltest.main()
