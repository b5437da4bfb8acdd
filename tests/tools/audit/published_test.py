import json
import re
import sys

from absl.testing import absltest

from reproducible_tflite.audit import published
from reproducible_tflite.lib.cli import cli

_LOCK, _MODELS = sys.argv[1:]


class PublishedTest(absltest.TestCase):
    def test_the_lock_is_well_formed(self):
        rows = published.read(_LOCK)
        self.assertGreater(len(rows), 10)
        with open(_MODELS, encoding="utf-8") as stream:
            names = set(re.findall(r'^    "([\w.]+)": "\w+",$', stream.read(), re.MULTILINE))
        self.assertIn("mobiledet", names)
        for row in rows:
            with self.subTest(row.file):
                self.assertIn(row.model, names | {None})
                self.assertEndsWith(row.url, f"/{row.file}")
                self.assertTrue(row.md5 or row.sha256)
                self.assertRegex(row.md5 or "0" * 32, r"^[0-9a-f]{32}$")
                for digest in (row.sha256, row.structure):
                    self.assertRegex(digest or "0" * 64, r"^[0-9a-f]{64}$")
                self.assertTrue(row.structure or not row.structure_differs)

    def test_a_file_is_known_by_every_digest_that_is_stated(self):
        digests = published.digests(b"abc")
        self.assertEqual(digests.md5, "900150983cd24fb0d6963f7d28e17f72")
        by_md5 = published.Published("m", "f", "u", digests.md5, None, None, "s")
        by_sha256 = published.Published("m", "f", "u", None, digests.sha256, 3, "s")
        other_size = published.Published("m", "f", "u", digests.md5, None, 4, "s")
        other_sha256 = published.Published("m", "f", "u", digests.md5, "0" * 64, 3, "s")
        unknown = published.Published("m", "f", "u", None, None, 3, "s")
        for row, expected in (
            (by_md5, True),
            (by_sha256, True),
            (other_size, False),
            (other_sha256, False),
            (unknown, False),
        ):
            self.assertEqual(published.identify([row], digests), row if expected else None)

    def test_malformed_locks(self):
        for value in (
            "no JSON",
            "{}",
            "[]",
            json.dumps({"files": [{"file": "x"}]}),
            json.dumps({"files": [{"file": "x", "url": "u", "typo": 1}]}),
            json.dumps({"files": [{"file": "x", "url": "u", "structure_differs": {"ours": "0"}}]}),
        ):
            path = self.create_tempfile(content=value).full_path
            with self.assertRaisesRegex(cli.UserError, f"^{path}: not a lock of published files"):
                published.read(path)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
