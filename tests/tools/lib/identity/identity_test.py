import json
import pathlib

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity import identity

_FIELDS = {
    "interpreter": "hermetic",
    "name": "mobiledet",
    "preprocessing": "minus_one_to_one",
    "tensorflow": "2.15.1",
    "weights": "released",
}


class IdentityTest(parameterized.TestCase):
    def _write(self, content: bytes) -> str:
        path = pathlib.Path(self.create_tempdir().full_path, "x.identity.json")
        path.write_bytes(content)
        return str(path)

    def test_every_field_is_read(self):
        self.assertEqual(
            identity.read(self._write(json.dumps(_FIELDS).encode())),
            identity.Identity("mobiledet", "released", "minus_one_to_one", "2.15.1", "hermetic"),
        )

    @parameterized.parameters("", "identity", "imagenet_mean_std", "tokens")
    def test_known_preprocessings_are_accepted(self, preprocessing):
        content = json.dumps({**_FIELDS, "preprocessing": preprocessing}).encode()
        self.assertEqual(identity.read(self._write(content)).preprocessing, preprocessing)

    @parameterized.parameters(
        ({"weights": "trained"}, "weights is 'trained' instead of one of seeded, released, own"),
        ({"weights": ""}, "weights is '' instead of one of seeded, released, own"),
        ({"preprocessing": "to_one"}, "preprocessing is 'to_one' instead of one of minus_one"),
        ({"tensorflow": 2}, "tensorflow is 2 instead of a text"),
        ({"name": None}, "name is None instead of a text"),
        ({"sha256": "0"}, ".* unexpected keyword argument 'sha256'"),
    )
    def test_a_damaged_field_is_named(self, change, reason):
        path = self._write(json.dumps({**_FIELDS, **change}).encode())
        message = f"^{path}: not a model's identity: {reason}.*; build the model again.$"
        with self.assertRaisesRegex(cli.UserError, message):
            identity.read(path)

    @parameterized.parameters(*_FIELDS)
    def test_a_missing_field_is_refused(self, name):
        fields = {key: value for key, value in _FIELDS.items() if key != name}
        with self.assertRaisesRegex(cli.UserError, f"not a model's identity: .* '{name}'; build"):
            identity.read(self._write(json.dumps(fields).encode()))

    @parameterized.named_parameters(
        ("empty", b"", "the identity is empty"),
        ("cut", b"{", "not a model's identity: "),
        ("binary", b"\xff", "not a model's identity: "),
        ("deep", b"[" * 100000, "not a model's identity: "),
        ("list", b'["name"]', "not a model's identity: "),
    )
    def test_other_files_are_refused(self, content, message):
        with self.assertRaisesRegex(cli.UserError, message):
            identity.read(self._write(content))

    def test_the_identity_of_a_target(self):
        path = self._write(json.dumps(_FIELDS).encode())
        self.assertEqual(identity.of_target({"identity": [path]}), identity.Identity(**_FIELDS))
        for files in ({}, {"identity": []}, {"default": [path]}):
            self.assertIsNone(identity.of_target(files))


if __name__ == "__main__":
    absltest.main()
