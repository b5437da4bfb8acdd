"""Signs models and verifies them with this project's program and with model-signing's own."""

import datetime
import json
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from reproducible_tflite.lib.attestation import model_signature
from reproducible_tflite.lib.cli import cli
from tests.tools.lib.tflite_file import models
from tests.tools.provenance import requests

_SIGN, _VERIFY, _CLI = sys.argv[1:]


def _certificate(subject, key, issuer, issuer_key, is_root):
    """Returns a certificate in PEM, with which its key may sign."""
    start = datetime.datetime(2026, 1, 1)
    name, by = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
        for text in (subject, issuer)
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, is_root, is_root, False, False), True
        )
    )
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class ModelSigningTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.private, self.public = requests.write_keys(str(self.folder), "key", self.key)
        self.model = self._write("x.tflite", models.pack(models.layered()))
        self.signature = str(self.folder / "x.tflite.sig")

    def _write(self, name, content):
        (self.folder / name).write_bytes(content)
        return str(self.folder / name)

    def _run(self, *command):
        folders = dict.fromkeys(
            ("BUILD_WORKSPACE_DIRECTORY", "BUILD_WORKING_DIRECTORY"), str(self.folder)
        )
        # Any attempt to reach a server fails.
        proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
        return subprocess.run(
            command, env=os.environ | folders | proxies, capture_output=True, text=True, check=False
        )

    def _by_its_own_program(self, kind, flag, trusted):
        """Returns the exit code of model-signing's own program."""
        options = ("verify", kind, f"--{flag}", trusted, "--signature", self.signature)
        return self._run(_CLI, *options, self.model).returncode

    def _sign(self, certificate=None, chain=()):
        config = model_signature.signer(self.private, certificate, chain)
        pathlib.Path(self.signature).write_bytes(model_signature.sign(self.model, config))

    def _assert_refused(self, reason, public_key=None, roots=()):
        with self.assertRaisesRegex(cli.UserError, reason) as caught:
            model_signature.verify(self.model, self.signature, public_key, roots)
        self.assertNotIn("\n", str(caught.exception))

    def _change_the_model(self):
        content = pathlib.Path(self.model).read_bytes()
        self._write("x.tflite", content[:-1] + bytes([content[-1] ^ 1]))

    def test_the_programs(self):
        signed = self._run(_SIGN, f"--key={self.private}", self.model)
        self.assertEqual((signed.returncode, signed.stdout), (0, "x.tflite.sig\n"), signed.stderr)
        verify = (_VERIFY, f"--public_key={self.public}", self.model, self.signature)
        verified = self._run(*verify)
        self.assertEqual(verified.returncode, 0, verified.stderr)
        self.assertIn("x.tflite.sig is a signature of", verified.stdout)
        self.assertEqual(self._by_its_own_program("key", "public_key", self.public), 0)

        self._change_the_model()
        self.assertEqual(self._by_its_own_program("key", "public_key", self.public), 1)
        refused = self._run(*verify)
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, "^ERROR: .*is not the file that was signed.*\n$")

    def test_a_page_is_not_signed_nor_what_comes_with_it(self):
        page = self._write("page.tflite", b"<html><body>Not found</body></html>")
        result = self._run(_SIGN, f"--key={self.private}", self.model, page)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^ERROR: .*web page.*\n$")
        self.assertFalse(os.path.exists(self.signature))

    def test_with_a_certificate(self):
        root_key = ec.generate_private_key(ec.SECP384R1())
        root = self._write("root.pem", _certificate("root", root_key, "root", root_key, True))
        own = self._write("own.pem", _certificate("signer", self.key, "root", root_key, False))
        self._sign(own, [root])
        model_signature.verify(self.model, self.signature, None, [root])
        self.assertEqual(self._by_its_own_program("certificate", "certificate_chain", root), 0)

        other = self._write("other.pem", _certificate("o", self.key, "o", self.key, True))
        self._assert_refused("nobody trusted by", roots=[other])
        self._assert_refused("cannot be read", roots=[other + "x"])
        self._assert_refused("is not what verifies", roots=[self.model])
        foreign = self._write("foreign.pem", _certificate("f", root_key, "f", root_key, False))
        with self.assertRaisesRegex(cli.UserError, "does not fit: The public key from the cert"):
            self._sign(foreign)
        with self.assertRaisesRegex(cli.UserError, "the certificate cannot be read"):
            self._sign(own + "x")

    def test_another_key_or_a_changed_model_is_refused(self):
        self._sign()
        model_signature.verify(self.model, self.signature, self.public, ())
        _, other = requests.write_keys(
            str(self.folder), "other", ec.generate_private_key(ec.SECP256R1())
        )
        self._assert_refused("is refused: Key mismatch", other)
        self._assert_refused("is not what verifies", self.model)
        self._change_the_model()
        self._assert_refused("is not the file that was signed", self.public)
        os.remove(self.model)
        self._assert_refused("is not a file", self.public)

    def test_any_damage_to_a_signature_is_refused_in_a_sentence(self):
        self._sign()
        whole = json.loads(pathlib.Path(self.signature).read_bytes())
        damages = [json.dumps(whole | {name: {}}).encode() for name in whole]
        whole["dsseEnvelope"]["signatures"][0]["sig"] = "AAAA"
        damages += [json.dumps(whole).encode(), b"", b"{}", b"[]", b"\xff", b"[" * 100000]
        for damage in damages:
            with self.subTest(damage[:60]):
                self._write("x.tflite.sig", damage)
                self._assert_refused("is refused|nobody trusted by", self.public)

    def test_a_key_that_the_package_does_not_take_is_refused(self):
        private, _ = requests.write_keys(
            str(self.folder), "ed", ed25519.Ed25519PrivateKey.generate()
        )
        with self.assertRaisesRegex(cli.UserError, "is an Ed25519 key, which model-signing"):
            model_signature.signer(private, None, ())


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
