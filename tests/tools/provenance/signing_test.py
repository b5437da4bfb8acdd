import base64
import json
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from reproducible_tflite.lib.attestation import signing, summary, verify_tflite
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.provenance import statement
from tests.tools.provenance import requests

_SIGN, _VERIFY = sys.argv[1:]
_MODEL = b"a model" * 1000


def _flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


class SigningTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.private, self.public = requests.write_keys(
            self.folder, "key", ed25519.Ed25519PrivateKey.generate()
        )
        document = requests.make_statement(self.create_tempdir().full_path, _MODEL)
        self.statement = statement.text(document).encode("ascii")

    def _envelope(self) -> dict:
        signer = signing.read_signer(self.private)
        return json.loads(signing.sign(self.statement, "x.json", signer))

    def _verified(self, envelope: dict | bytes, public: str | None = None) -> dict:
        content = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
        return signing.verified_statement(content, "x.dsse.json", public or self.public)

    @parameterized.parameters(
        ed25519.Ed25519PrivateKey.generate,
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
    )
    def test_a_signed_statement_verifies(self, generate):
        private, public = requests.write_keys(self.folder, "other", generate())
        signed = signing.sign(self.statement, "x.json", signing.read_signer(private))
        self.assertEqual(self._verified(signed.encode(), public), json.loads(self.statement))
        # The program for people without Bazel agrees.
        envelope = verify_tflite.parse_envelope(json.loads(signed), "x.dsse.json")
        verify_tflite.check_signature(envelope, public, "x.dsse.json")

    def test_an_ed25519_signature_is_the_same_each_time(self):
        self.assertEqual(self._envelope(), self._envelope())

    def test_a_changed_statement_or_signature_is_refused(self):
        for name in ("payload", "sig"):
            envelope = self._envelope()
            place = envelope if name in envelope else envelope["signatures"][0]
            place[name] = base64.b64encode(_flipped(base64.b64decode(place[name]), 31)).decode()
            with self.subTest(name), self.assertRaisesRegex(cli.UserError, "has not signed this"):
                self._verified(envelope)

    def test_any_changed_byte_of_the_envelope_changes_nothing_or_is_refused(self):
        content = json.dumps(self._envelope()).encode()
        for position in range(0, len(content), max(1, len(content) // 200)):
            changed = _flipped(content, position)
            try:
                verified = self._verified(changed)
            except cli.UserError:
                continue
            self.fail(f"byte {position} changed, still verified: {verified['_type']}")

    def test_another_key_is_refused(self):
        _, other = requests.write_keys(self.folder, "other", ed25519.Ed25519PrivateKey.generate())
        with self.assertRaisesRegex(cli.UserError, "other.pub.pem has not signed this"):
            self._verified(self._envelope(), other)

    def test_a_statement_without_an_envelope_is_refused(self):
        with self.assertRaisesRegex(cli.UserError, "is not signed"):
            self._verified(self.statement)

    @parameterized.parameters(
        ({"signatures": [7]}, "its signatures are not a list of objects"),
        ({"signatures": [{"sig": "AAAA"}]}, "does not have the form of a signed envelope"),
        ({"signatures": [{"keyid": ["k"], "sig": "AAAA"}]}, "does not have the form"),
        ({"signatures": [{"keyid": "k", "sig": "AAAA"}] * 2}, "does not have the form"),
        ({"signatures": [{"keyid": "k", "sig": "no base64"}]}, "its signature is not base64"),
        ({"payload": None}, "its payload is not base64"),
        ({"payloadType": "text/plain"}, "payload type is not application/vnd.in-toto"),
        ({"signatures": []}, "has no signature"),
    )
    def test_a_malformed_envelope_is_refused(self, changes, reason):
        with self.assertRaisesRegex(cli.UserError, reason):
            self._verified(self._envelope() | changes)

    @parameterized.parameters(b"{}", b"[]", b"not JSON", b'{"_type": "x"}')
    def test_only_statements_are_signed(self, content):
        with self.assertRaises(cli.UserError):
            signing.sign(content, "x.json", signing.read_signer(self.private))

    def test_a_signed_other_document_is_refused(self):
        signer = signing.read_signer(self.private)
        envelope = signing.dsse.Envelope(b'{"a": 1}', verify_tflite.PAYLOAD_TYPE, {})
        envelope.sign(signer)
        with self.assertRaisesRegex(cli.UserError, "not a provenance statement"):
            self._verified(envelope.to_dict())


class KeysTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.private, self.public = requests.write_keys(self.folder, "key", self.key)

    @parameterized.parameters(0o640, 0o604, 0o644, 0o620)
    def test_a_key_that_others_can_access_is_refused(self, mode):
        os.chmod(self.private, mode)
        with self.assertRaisesRegex(cli.UserError, f"mode {mode:04o}.*chmod 600"):
            signing.read_signer(self.private)

    @parameterized.parameters(
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP256K1()),
    )
    def test_a_key_of_an_unsupported_type_is_refused(self, generate):
        private, public = requests.write_keys(self.folder, "other", generate())
        with self.assertRaisesRegex(cli.UserError, "an unsupported type"):
            signing.read_signer(private)
        with self.assertRaisesRegex(verify_tflite.Refused, "neither an Ed25519"):
            verify_tflite.read_public_key(public)

    def test_an_encrypted_key_is_refused(self):
        content = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
        pathlib.Path(self.private).write_bytes(content)
        with self.assertRaisesRegex(cli.UserError, "is encrypted"):
            signing.read_signer(self.private)

    def test_a_public_key_does_not_sign_and_a_private_one_does_not_verify(self):
        for mode in (0o600, 0o644):
            os.chmod(self.public, mode)
            with self.assertRaisesRegex(
                cli.UserError, "key.pub.pem: is a public key; give the pri"
            ):
                signing.read_signer(self.public)
        with self.assertRaisesRegex(verify_tflite.Refused, "is not a public key"):
            verify_tflite.read_public_key(self.private)

    def test_a_truncated_key_is_refused(self):
        content = pathlib.Path(self.private).read_bytes()
        pathlib.Path(self.private).write_bytes(content[: len(content) // 2])
        with self.assertRaisesRegex(cli.UserError, "is not a private key"):
            signing.read_signer(self.private)
        with self.assertRaisesRegex(cli.UserError, "cannot be read"):
            signing.read_signer(self.private + "x")


class ProgramsTest(absltest.TestCase):
    """Runs the programs as a person does."""

    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.private, self.public = requests.write_keys(
            self.folder, "key", ed25519.Ed25519PrivateKey.generate()
        )
        document = requests.make_statement(self.create_tempdir().full_path, _MODEL)
        self.statement = os.path.join(self.folder, "x.provenance.json")
        pathlib.Path(self.statement).write_text(statement.text(document))
        self.model = os.path.join(self.folder, "x.tflite")
        pathlib.Path(self.model).write_bytes(_MODEL)
        self.envelope = os.path.join(self.folder, "x.provenance.dsse.json")

    def _run(self, *command):
        folders = dict.fromkeys(
            ("BUILD_WORKSPACE_DIRECTORY", "BUILD_WORKING_DIRECTORY"), self.folder
        )
        environment = os.environ | folders
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def _sign(self, *statements):
        return self._run(_SIGN, f"--key={self.private}", *statements)

    def _verify(self):
        return self._run(_VERIFY, f"--public_key={self.public}", self.model, self.envelope)

    def _assert_refused(self, result, reason):
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, reason)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def test_sign_then_verify(self):
        signed = self._sign(self.statement)
        self.assertEqual(signed.returncode, 0, signed.stderr)
        result = self._verify()
        self.assertEqual(result.returncode, 0, result.stderr)
        for text in ("x.tflite", "seeded weights (synthetic", "2.15.1", "builder:bazel"):
            self.assertIn(text, result.stdout)

        pathlib.Path(self.model).write_bytes(_flipped(_MODEL, 5))
        self._assert_refused(self._verify(), "it is another file, or was changed")
        os.remove(self.model)
        self._assert_refused(self._verify(), "x.tflite: cannot be read")

    def test_an_audits_summary_verifies_if_it_passed(self):
        subjects = {"x.tflite": requests.sha256(_MODEL)}
        document = summary.build(subjects, "//models:x", "2026-03-01T12:00:00Z", {}, False)
        for result, reason in (("PASSED", None), ("FAILED", "says that x.tflite did not pass")):
            document["predicate"]["verificationResult"] = result
            signer = signing.read_signer(self.private)
            signed = signing.sign(summary.text(document).encode(), "x.vsa.json", signer)
            pathlib.Path(self.envelope).write_text(signed)
            verified = self._verify()
            if reason:
                self._assert_refused(verified, reason)
            else:
                self.assertEqual(verified.returncode, 0, verified.stderr)
                self.assertIn("REPRODUCIBLE_TFLITE_REBUILT_EQUAL", verified.stdout)

    def test_with_one_bad_statement_none_is_signed(self):
        other = os.path.join(self.folder, "y.provenance.json")
        pathlib.Path(other).write_text("{}")
        self._assert_refused(self._sign(self.statement, other), "y.provenance.json: is not a prov")
        self.assertFalse(os.path.exists(self.envelope))
        self._assert_refused(self._sign(), "give at least one")
        self._assert_refused(self._sign(self.statement, self.statement), "written twice")

    def test_an_empty_key_is_refused(self):
        for program, flag in ((_SIGN, "--key"), (_VERIFY, "--public_key")):
            result = self._run(program, f"{flag}=", self.statement, self.statement)
            self._assert_refused(result, f"^ERROR: {flag} is empty; give the PEM file")

    def test_a_missing_envelope_is_refused(self):
        self._assert_refused(self._verify(), "dsse.json: cannot be read")


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
