from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.lock import versions_lock

_RESULT = {"verdict": "same bytes", "differences": {}, "first": None, "sha256": "ab"}
_ROW = {"converter": "mlir", "sha256": "cd", "versions": {"2.17.1": _RESULT}}


class VersionsLockTest(absltest.TestCase):
    def test_what_is_written_is_read(self):
        lock = {"//b:b": _ROW, "//a:a": {**_ROW, "versions": {"2.21.0": {"refused": "why"}}}}
        text = versions_lock.text(lock)
        self.assertEqual(versions_lock.parse(text.encode(), "lock"), lock)
        self.assertEqual(versions_lock.text(dict(reversed(lock.items()))), text)

    def test_other_files_are_refused(self):
        for content in (b"{", b"[]", b"{}", b'{"models": {"//a:a": {"versions": {"2": {}}}}}'):
            with self.assertRaisesRegex(cli.UserError, "^lock: not what TensorFlows make of"):
                versions_lock.parse(content, "lock")

    def test_results_for_an_earlier_file_are_forgotten(self):
        new = {**_ROW, "versions": {"2.21.0": {"refused": "why"}}}
        both = {**_ROW["versions"], **new["versions"]}
        self.assertEqual(versions_lock.updated(_ROW, new), {**_ROW, "versions": both})
        changed = {**new, "sha256": "ef"}
        self.assertEqual(versions_lock.updated(_ROW, changed), changed)
        self.assertEqual(versions_lock.updated(None, new), new)


if __name__ == "__main__":
    absltest.main()
