"""Holds the structure of our models against that of the published files, whatever the weights.

Usage: published_structure_test LOCK MODEL.tflite...
"""

import pathlib
import sys

from absl.testing import absltest

from reproducible_tflite.audit import published
from reproducible_tflite.lib.meaning import structure
from reproducible_tflite.lib.tflite_file import reader

_LOCK, *_MODELS = sys.argv[1:]


class PublishedStructureTest(absltest.TestCase):
    def test_every_published_file_whose_structure_is_known(self):
        rows = [row for row in published.read(_LOCK) if row.model and row.structure]
        models = {pathlib.Path(path).stem: pathlib.Path(path).read_bytes() for path in _MODELS}
        self.assertEqual({row.model for row in rows}, set(models))
        ours = {name: structure.digest(reader.read(file, name)) for name, file in models.items()}
        for row in rows:
            with self.subTest(f"{row.file} and {row.model}"):
                differs = row.structure_differs
                self.assertEqual(ours[row.model], differs.ours if differs else row.structure)
                self.assertFalse(differs and differs.ours == row.structure)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
