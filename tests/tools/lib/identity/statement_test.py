import contextlib
import io
import json
import pathlib
from typing import Any

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity import identity, statement
from tests.tools.lib.identity import statements

_CONTENT = b"model"


def _built(document: Any) -> Any:
    return document["predicate"]["buildDefinition"]


class StatementTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.model = pathlib.Path(self.create_tempdir().full_path, "net.tflite")
        self.model.write_bytes(_CONTENT)

    def _stated(self, content: bytes = _CONTENT) -> identity.Identity | None:
        """Returns the stated identity; keeps the note on stderr in `self.note`."""
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            stated = statement.stated_identity(str(self.model), content)
        self.note = stderr.getvalue()
        return stated

    def test_a_statement_of_the_build_is_read(self):
        statements.write(self.model, "released", "zero_to_one")
        self.assertEqual(
            self._stated(),
            identity.Identity("net", "released", "zero_to_one", "2.15.1", "hermetic"),
        )
        self.assertEqual(self.note, "")

    def test_a_bare_file_is_foreign(self):
        self.assertIsNone(self._stated())
        self.assertEqual(self.note, "")

    def test_a_statement_of_another_file_is_noted(self):
        path = statements.write(self.model)
        self.assertIsNone(self._stated(b"another model"))
        self.assertEqual(
            self.note,
            f"NOTE: {path} does not describe {self.model} as it is now; the file counts as"
            " foreign.\n",
        )

    def _changed(self, change: Any) -> None:
        path = statements.write(self.model)
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    @parameterized.parameters(
        lambda document: document.update(_type="https://in-toto.io/Statement/v2"),
        lambda document: document.update(predicateType="https://spdx.dev/Document"),
        lambda document: _built(document).update(buildType="urn:other"),
        lambda document: document["subject"][0].update(digest={"sha512": "0"}),
        lambda document: document.update(subject=[]),
    )
    def test_a_statement_about_something_else_is_noted(self, change):
        self._changed(change)
        self.assertIsNone(self._stated())
        self.assertStartsWith(self.note, "NOTE: ")

    @parameterized.parameters(
        (lambda document: document.pop("subject"), "KeyError: 'subject'"),
        (lambda document: document.update(subject=["x"]), "TypeError: "),
        (lambda document: document["subject"][0].update(digest="0"), "AttributeError: "),
        (lambda document: document.pop("predicate"), "KeyError: 'predicate'"),
        (lambda document: _built(document).pop("internalParameters"), "KeyError: 'internalPar"),
        (
            lambda document: _built(document)["externalParameters"].update(weights="good"),
            "ValueError: weights is 'good' instead of one of seeded, released, own",
        ),
    )
    def test_a_damaged_statement_is_refused(self, change, reason):
        self._changed(change)
        with self.assertRaisesRegex(cli.UserError, f"not a provenance statement \\({reason}.*put"):
            self._stated()

    @parameterized.named_parameters(
        ("empty", b"", "the provenance statement is empty"),
        ("cut", b"{", "not a provenance statement"),
        ("binary", b"\xff\xfe", "not a provenance statement"),
        ("list", b"[]", "not a provenance statement"),
        ("deep", b"[" * 100000, "not a provenance statement"),
    )
    def test_other_files_are_refused(self, content, message):
        self.model.with_suffix(".provenance.json").write_bytes(content)
        with self.assertRaisesRegex(cli.UserError, f"net.provenance.json: {message}"):
            self._stated()


if __name__ == "__main__":
    absltest.main()
