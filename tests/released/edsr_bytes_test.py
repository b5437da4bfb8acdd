"""Tests that every published .tflite of EDSR is reproduced from the published SavedModels."""

import hashlib
import pathlib
import sys

from absl.testing import absltest, parameterized

_CONVERTED = {
    path.name: path for path in map(pathlib.Path, sys.argv[1:]) if "as_published" in path.parts
}
_PUBLISHED = {
    path.name: path for path in map(pathlib.Path, sys.argv[1:]) if "as_published" not in path.parts
}


class EdsrBytesTest(parameterized.TestCase):
    def test_all_files_are_reproduced(self):
        self.assertLen(_CONVERTED, 5)
        self.assertEqual(_CONVERTED.keys(), _PUBLISHED.keys())

    @parameterized.parameters(*sorted(_PUBLISHED))
    def test_the_same_bytes(self, name):
        converted, published = (paths[name].read_bytes() for paths in (_CONVERTED, _PUBLISHED))
        digest = hashlib.sha256(converted).hexdigest()
        print(f"{name}: {len(converted)} bytes, sha256 {digest}")
        self.assertEqual(len(converted), len(published))
        self.assertEqual(digest, hashlib.sha256(published).hexdigest())


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
