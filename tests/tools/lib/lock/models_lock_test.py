import dataclasses
import hashlib

from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.lock import models_lock
from tests.tools.lib.tflite_file import models

_KEY = models_lock.Key("//models/mobiledet:mobiledet", "seeded", "2.15.1")
_ROW = models_lock.Row("ab" * 32, 5, None, "1.5.0")


class ModelsLockTest(absltest.TestCase):
    def test_what_is_written_is_read(self):
        lock = {
            _KEY: _ROW,
            dataclasses.replace(_KEY, weights="released"): _ROW,
            dataclasses.replace(_KEY, tensorflow="2.17.1"): dataclasses.replace(_ROW, size=6),
            models_lock.Key("//models/mobiledet:another", "seeded", "2.15.1"): _ROW,
            models_lock.Key("//other:mobiledet", "seeded", "2.15.1"): _ROW,
            models_lock.Key("//my:file", "own", ""): _ROW,
        }
        text = models_lock.text(lock)
        self.assertEqual(models_lock.parse(text.encode(), "lock"), lock)
        self.assertEqual(models_lock.text(dict(reversed(lock.items()))), text)
        self.assertIn("bazel run @reproducible_tflite//tools/audit:update_lock", text)

    def test_an_empty_object_has_no_rows(self):
        self.assertEqual(models_lock.parse(b"{}\n", "lock"), {})

    def test_other_files_are_refused(self):
        for content in (b"{", b"[]", b"null", b'{"models": {"a": {"seeded": {"2.15.1": {}}}}}'):
            with self.assertRaisesRegex(cli.UserError, "^lock: not a lock of models: "):
                models_lock.parse(content, "lock")

    def test_the_key_is_the_label_and_a_part_of_the_identity(self):
        label = "//models/mobiledet:mobiledet"
        identity = Identity("mobiledet", "seeded", "minus_one_to_one", "2.15.1", "hermetic")
        for alike in ({}, {"preprocessing": ""}, {"interpreter": "local: 3.7.16"}):
            self.assertEqual(models_lock.key(label, dataclasses.replace(identity, **alike)), _KEY)
        for other in ({"weights": "released"}, {"tensorflow": "2.17.1"}):
            other_identity = dataclasses.replace(identity, **other)
            self.assertNotEqual(models_lock.key(label, other_identity), _KEY)
        self.assertNotEqual(models_lock.key("//other:mobiledet", identity), _KEY)

    def test_the_key_is_the_same_from_another_repository(self):
        identity = Identity("mobiledet", "seeded", "", "2.15.1", "hermetic")
        for repository in ("@", "@@", "@reproducible_tflite", "@@reproducible_tflite~"):
            label = f"{repository}//models/mobiledet:mobiledet"
            self.assertEqual(models_lock.key(label, identity), _KEY)

    def test_a_key_says_what_it_is(self):
        self.assertEqual(
            str(_KEY), "//models/mobiledet:mobiledet (seeded weights, TensorFlow 2.15.1)"
        )
        self.assertEqual(
            str(models_lock.Key("//my:file", "own", "")),
            "//my:file (own weights, not converted here)",
        )

    def test_a_row_is_made_of_the_files(self):
        model = models.pack(models.layered())
        row = models_lock.row(model, b"raw", "2.15.1")
        self.assertEqual(row.sha256, hashlib.sha256(model).hexdigest())
        self.assertEqual(row.size, len(model))
        self.assertEqual(row.raw_sha256, hashlib.sha256(b"raw").hexdigest())
        self.assertIsNone(models_lock.row(model, b"raw", "1.15.5").raw_sha256)
        with self.assertRaises(cli.UserError):
            models_lock.row(b"no model", b"raw", "2.15.1")

    def test_every_field_counts(self):
        self.assertEmpty(models_lock.differences(_ROW, _ROW))
        other = models_lock.Row("cd" * 32, 6, "ef" * 32, None)
        self.assertEqual(
            models_lock.differences(_ROW, other),
            [
                f"sha256: {'ab' * 32} in the lock, {'cd' * 32} built",
                "size: 5 in the lock, 6 built",
                f"raw sha256: None in the lock, {'ef' * 32} built",
                "minimum runtime: 1.5.0 in the lock, None built",
            ],
        )


if __name__ == "__main__":
    absltest.main()
