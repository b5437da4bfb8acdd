import contextlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import types
from unittest import mock

from absl.testing import absltest, parameterized
from cryptography import exceptions
from cryptography.hazmat import primitives
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from reproducible_tflite.lib.attestation import signing, verify_tflite
from reproducible_tflite.steps.provenance import statement
from tests.tools.provenance import requests

_MODEL = b"a model" * 1000

# A fake openssl, which succeeds only if it is called with the expected arguments.
_OPENSSL = """#!/bin/sh
case "$*" in
    {pattern}) exit 0 ;;
    *) echo "{otherwise}" >&2; exit 1 ;;
esac
"""


class VerifyTfliteTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.statement = requests.make_statement(self.create_tempdir().full_path, _MODEL)
        self.model = self._write("x.tflite", _MODEL)

    def _write(self, name: str, content: bytes) -> str:
        path = os.path.join(self.folder, name)
        pathlib.Path(path).write_bytes(content)
        return path

    def _document(self) -> str:
        return self._write("x.provenance.json", statement.text(self.statement).encode())

    def _envelope(self, key) -> tuple[str, str]:
        private, public = requests.write_keys(self.folder, "key", key)
        content = statement.text(self.statement).encode()
        signed = signing.sign(content, "x", signing.read_signer(private))
        return self._write("x.provenance.dsse.json", signed.encode()), public

    def _fake_openssl(self, arguments: str, otherwise: str = "") -> str:
        """Puts only a fake openssl on PATH, which accepts any signature with these arguments."""
        script = _OPENSSL.format(pattern=arguments.replace(" ", "\\ "), otherwise=otherwise)
        program = self._write("openssl", script.encode())
        os.chmod(program, 0o755)
        self.enter_context(mock.patch.dict(os.environ, PATH=self.folder))
        return program

    def _run(self, *arguments) -> tuple[int, str, str]:
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = verify_tflite.main(list(arguments))
        return code, output.getvalue(), errors.getvalue()

    def _assert_refused(self, result, reason):
        code, output, errors = result
        self.assertEqual((code, output), (1, ""), errors)
        self.assertRegex(errors, f"^REFUSED: .*{reason}.*\\.\n$")

    def test_a_statement_alone(self):
        code, output, _ = self._run(self.model, self._document())
        self.assertEqual(code, 0)
        for text in (
            "NONE: the statement is not signed",
            "seeded weights (synthetic, seed 7)",
            "absl_py-2.1.0-py3-none-any.whl",
            "a" * 64,
            "libc6_1%3a2.36-9+deb12u14_amd64.deb",
        ):
            self.assertIn(text, output)

    def test_an_envelope_without_a_key_says_that_it_was_not_checked(self):
        envelope, _ = self._envelope(ed25519.Ed25519PrivateKey.generate())
        code, output, _ = self._run(self.model, envelope)
        self.assertEqual(code, 0)
        self.assertIn("NOT CHECKED", output)

    def test_an_envelope_with_its_key(self):
        envelope, public = self._envelope(ec.generate_private_key(ec.SECP256R1()))
        code, output, _ = self._run(f"--public_key={public}", self.model, envelope)
        self.assertEqual(code, 0)
        self.assertIn("checked with the Python package cryptography", output)

    def test_another_key_and_no_signature_are_refused(self):
        envelope, _ = self._envelope(ed25519.Ed25519PrivateKey.generate())
        _, other = requests.write_keys(self.folder, "other", ed25519.Ed25519PrivateKey.generate())
        key = f"--public_key={other}"
        self._assert_refused(
            self._run(key, self.model, envelope), "none of its signatures of these bytes"
        )
        self._assert_refused(self._run(key, self.model, self._document()), "without a signature")

    @parameterized.parameters(
        (
            ed25519.Ed25519PrivateKey.generate,
            "pkeyutl -verify -rawin -pubin -inkey key -sigfile signature -in content",
        ),
        (
            lambda: ec.generate_private_key(ec.SECP384R1()),
            "dgst -sha384 -verify key -signature signature content",
        ),
    )
    def test_openssl_is_used_if_the_package_is_missing(self, generate, arguments):
        envelope, public = self._envelope(generate())
        command = [f"--public_key={public}", self.model, envelope]
        program = self._fake_openssl(arguments)
        with mock.patch.dict(sys.modules, {"cryptography.exceptions": None}):
            code, output, errors = self._run(*command)
            self.assertEqual(code, 0, errors)
            self.assertIn("checked with openssl", output)
            os.remove(program)
            refused = self._run(*command)
        self._assert_refused(refused, "needs the Python package cryptography .* or the command")

    @parameterized.parameters(
        ("Signature Verification Failure", "none of its signatures of these bytes"),
        ("Error verifying data", "none of its signatures of these bytes"),
        ("pkeyutl: Unknown option: -rawin", "cannot be checked on this machine: .*openssl"),
        ("", "cannot be checked on this machine"),
    )
    def test_only_a_verdict_of_openssl_counts(self, message, reason):
        envelope, public = self._envelope(ed25519.Ed25519PrivateKey.generate())
        self._fake_openssl("nothing", message)
        with mock.patch.dict(sys.modules, {"cryptography.exceptions": None}):
            result = self._run(f"--public_key={public}", self.model, envelope)
        self._assert_refused(result, reason)

    @parameterized.parameters("old", "unsupported_algorithm")
    def test_openssl_is_used_if_the_package_cannot_check(self, kind):
        envelope, public = self._envelope(ed25519.Ed25519PrivateKey.generate())
        command = [f"--public_key={public}", self.model, envelope]

        def before_3_1(data, backend):
            del data, backend

        serialization = types.SimpleNamespace(
            load_der_public_key={
                "old": before_3_1,
                "unsupported_algorithm": mock.Mock(
                    side_effect=exceptions.UnsupportedAlgorithm("none")
                ),
            }[kind]
        )
        program = self._fake_openssl("pkeyutl *")
        with mock.patch.object(primitives, "serialization", serialization):
            code, output, errors = self._run(*command)
            self.assertEqual(code, 0, errors)
            self.assertIn("checked with openssl", output)
            os.remove(program)
            self._assert_refused(self._run(*command), "cannot be checked on this machine")

    def test_an_empty_path_is_refused(self):
        envelope, _ = self._envelope(ed25519.Ed25519PrivateKey.generate())
        for command, name in (
            (("--public_key=", self.model, envelope), "--public_key"),
            (("", envelope), "model"),
            ((self.model, ""), "document"),
        ):
            errors = io.StringIO()
            with self.assertRaises(SystemExit) as ended, contextlib.redirect_stderr(errors):
                verify_tflite.main(list(command))
            self.assertEqual(ended.exception.code, 2)
            self.assertRegex(errors.getvalue(), f"argument {name}: is empty; is a variable")

    def _process(self, document: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, verify_tflite.__file__, self.model, document],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            **options,
        )

    def test_a_closed_pipe_ends_it_quietly(self):
        for document in (self._document(), "--help"):
            reader, writer = os.pipe()
            os.close(reader)
            with open(writer, "wb") as stream:
                result = self._process(document, stdout=stream)
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_full_disk_is_reported(self):
        for document in (self._document(), "--help"):
            with open("/dev/full", "wb") as stream:
                result = self._process(document, stdout=stream)
            self.assertEqual(
                (result.returncode, result.stderr),
                (1, "ERROR: the output cannot be written: No space left on device.\n"),
            )

    def test_ctrl_c_is_one_line(self):
        # Reading it takes until somebody writes to it.
        document = os.path.join(self.folder, "pipe")
        os.mkfifo(document)
        process = subprocess.Popen(
            [sys.executable, verify_tflite.__file__, self.model, document],
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        # It returns when the program has opened the other end.
        with open(document, "wb"):
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, error), (130, "Interrupted.\n"))

    def test_output_is_escaped_for_an_ascii_terminal(self):
        self.statement["subject"][0]["name"] = "m\u00f6del"
        document, written = self._document(), io.BytesIO()
        with contextlib.redirect_stdout(io.TextIOWrapper(written, "ascii")):
            self.assertEqual(verify_tflite.main([self.model, document]), 0)
            self.assertIn(b"m\\xf6del", written.getvalue())

    def test_a_changed_model_is_refused(self):
        self._write("x.tflite", _MODEL[:-1] + b"!")
        self._assert_refused(self._run(self.model, self._document()), "is about other bytes")

    @parameterized.parameters(
        (b"", "is empty"),
        (b"\xff\xfe", "UTF-8"),
        (b"[]", "not a JSON object"),
        (b"{", "not complete JSON"),
        (b'{"a": 1, "a": 2}', "'a' twice"),
        (b'{"a": NaN}', "NaN"),
        (b"{}", "its _type is not"),
        (b'{"payload": 1}', "payload type"),
    )
    def test_files_that_are_not_statements_are_refused(self, content, reason):
        document = self._write("x.provenance.json", content)
        self._assert_refused(self._run(self.model, document), reason)

    def test_too_large_files_are_refused(self):
        for content, reason in (
            (b'{"a": %s}' % (b"9" * 5000), "more than 20 digits"),
            (b'{"a":' * 100000, "nested too deeply"),
            (b" " * (verify_tflite.MAXIMUM_BYTES + 1), "larger than 16 MiB"),
        ):
            document = self._write("x.provenance.json", content)
            self._assert_refused(self._run(self.model, document), reason)

    @parameterized.parameters(
        (lambda s: s.update(subject="x"), "no valid subject"),
        (lambda s: s.update(subject=[]), "no valid subject"),
        (lambda s: s.update(subject=[7]), r"subject\[0\] has no sha256"),
        (lambda s: s["subject"][0]["digest"].update(sha256="0"), r"subject\[0\] has no sha256"),
        (lambda s: s["subject"][0]["digest"].update(sha256=7), r"subject\[0\] has no sha256"),
        (lambda s: s["subject"][0].update(name=""), r"subject\[0\] has no name"),
        (lambda s: s.update(predicate=[]), "resolvedDependencies"),
        (lambda s: s.update(predicateType="x"), "its predicateType is not"),
        (
            lambda s: s["predicate"]["buildDefinition"]["resolvedDependencies"].append(None),
            r"resolvedDependencies\[\d+\] has no sha256",
        ),
        (lambda s: s["predicate"]["runDetails"].update(builder=None), "builder.id"),
        (lambda s: s["predicate"]["buildDefinition"].update(internalParameters=7), "internalPar"),
    )
    def test_a_malformed_statement_is_refused(self, change, reason):
        change(self.statement)
        self._assert_refused(self._run(self.model, self._document()), reason)

    def test_control_characters_of_a_statement_are_not_printed(self):
        self.statement["subject"][0]["name"] = "\x1b[2Jx\nVerified"
        code, output, _ = self._run(self.model, self._document())
        self.assertEqual(code, 0)
        self.assertNotIn("\x1b", output)
        self.assertNotIn("\nVerified", output)

    def test_control_characters_of_a_table_are_replaced(self):
        self.assertEqual(
            verify_tflite.table([("model", "\x1b[2Jx\nVerified")]), "model  ?[2Jx?Verified"
        )

    def test_a_replaced_package_shows(self):
        rows = self.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        rows[-1]["annotations"]["instead_of_pinned_version"] = "1.0"
        _, output, _ = self._run(self.model, self._document())
        self.assertIn("(instead of the pinned 1.0)", output)

    def test_it_imports_only_the_standard_library(self):
        source = pathlib.Path(verify_tflite.__file__).read_text()
        names = {
            line.split()[1].split(".")[0]
            for line in source.splitlines()
            if line.startswith(("import ", "from "))
        }
        self.assertContainsSubset({"json", "hashlib"}, names)
        self.assertEmpty(names - sys.stdlib_module_names)

    def test_the_same_constants_as_the_writer(self):
        self.assertEqual(verify_tflite.STATEMENT_TYPE, statement.STATEMENT_TYPE)
        self.assertEqual(verify_tflite.PREDICATE_TYPE, statement.PREDICATE_TYPE)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
