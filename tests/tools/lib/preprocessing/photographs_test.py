import hashlib
import os

import numpy as np
from absl.testing import absltest
from PIL import Image

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import photographs


class PhotographsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path

    def _png(self, name, pixels):
        path = os.path.join(self.directory, name)
        Image.fromarray(pixels).save(path)
        return path

    def test_stretches_every_photograph_to_the_input(self):
        red = np.zeros([30, 70, 3], np.uint8)
        red[..., 0] = 200
        grey = np.full([50, 20], 90, np.uint8)
        batch = photographs.read([self._png("a.png", red), self._png("b.png", grey)], 8, 12)
        self.assertEqual((batch.shape, batch.dtype), ((2, 8, 12, 3), np.uint8))
        np.testing.assert_array_equal(batch[0, ..., 0], 200)
        np.testing.assert_array_equal(batch[0, ..., 1:], 0)
        np.testing.assert_array_equal(batch[1], 90)

    def test_resizes_to_the_same_bytes_everywhere(self):
        pixels = np.random.Philox(key=1).random_raw(3 * 41 * 67).astype(np.uint8)
        batch = photographs.read([self._png("a.png", pixels.reshape(41, 67, 3))], 32, 32)
        self.assertEqual(
            hashlib.sha256(batch.tobytes()).hexdigest(),
            "5b8d05ef02961e822c5fe03b9102eeed72d2039245cca85590dd1cd6f9f1093a",
        )

    def test_none_is_too_few(self):
        with self.assertRaisesRegex(cli.UserError, "--photographs: at least one"):
            photographs.read([], 8, 8)


if __name__ == "__main__":
    absltest.main()
